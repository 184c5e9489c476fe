"""A fleet: replicas as processes of their own, a client of their bus, a look into their tables."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from crash.sleepers import ALL, GO, NEVER, RACE, Json, name_of, payload
from lockstep import bus
from lockstep.embedded import Servers
from lockstep_schemas.events import HEADER_CONTEXT_KEY, HEADER_MESSAGE_ID
from patience import LIMIT_SECONDS, patience
from processes import call, environment, lockstep, talking

Process = asyncio.subprocess.Process
LOOK_SECONDS = 0.05
KEY = "crash"  # the context key of what starts runs: answers have keys of their own

ACTIVE = "select count(*) from runs where finished_at is null"
ENDED = "select count(*) from runs where finished_at is not null"
UNSENT = "select count(*) from outbox"
OPEN_ROWS = """
    select r.id::text, r.automation_name, r.status, r.owner::text, r.epoch, r.wakes,
           convert_from(r.trigger_payload, 'utf8') as payload,
           array(select concat_ws(' ', w.id, w.kind, w.action_path, w.state, w.cause,
                                  'armed', w.armed_at, 'due', w.due_at, 'fired', w.fired_at)
                   from waits w where w.run_id = r.id order by w.id) as waits,
           array(select concat_ws(' ', s.seq, s.action_path, s.status, s.finished_at)
                   from run_steps s where s.run_id = r.id order by s.seq) as steps,
           convert_from(f.document, 'utf8') as frames
      from runs r
      left join run_frames f on f.run_id = r.id
     where r.finished_at is null and ($1::text[] is null or r.id::text = any ($1))
     order by r.position
     limit 5
"""
HELD_UP = """
    select pid, state, wait_event_type, wait_event, pg_blocking_pids(pid) as blocked_by,
           clock_timestamp() - xact_start as since, left(query, 60) as query
      from pg_stat_activity
     where datname = current_database()
       and (state like 'idle in transaction%' or wait_event_type = 'Lock'
            or (state = 'active' and wait_event_type = 'Client'))
"""


def new_seed() -> int:
    """Give the seed of a scenario, and print it: `CRASH_SEED` plays one again."""
    seed = int(os.environ.get("CRASH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"CRASH_SEED={seed}")  # noqa: T201 - pytest shows it where the test fails
    return seed


@dataclass
class Fleet:
    """What a test can do, and what it has done."""

    url: str
    prefix: str
    env: dict[str, str]
    folder: Path
    pool: asyncpg.Pool
    stack: AsyncExitStack
    replicas: list[Process] = field(default_factory=list)
    ids: dict[int, UUID] = field(default_factory=dict)  # worker by process
    published: set[int] = field(default_factory=set)
    tags: dict[str, set[str]] = field(default_factory=dict)  # published answers, by context key
    awaited: list[UUID] = field(default_factory=list)  # waits for events that were seen
    _connection: bus.Connection | None = None

    @property
    def connection(self) -> bus.Connection:
        """The client's connection."""
        assert self._connection is not None
        return self._connection

    @property
    def record_file(self) -> Path:
        """Where all replicas note their calls."""
        return self.folder / "calls.jsonl"

    # Replicas.

    async def start(self) -> Process:
        """Start another replica; it may not be ready yet."""
        running = lockstep("serve", env=self.env, cwd=self.folder)
        process = await self.stack.enter_async_context(running)
        self.stack.callback(_let_go_on, process)
        self.replicas.append(process)
        return process

    async def start_known(self) -> Process:
        """Start another replica, and learn which worker it is."""
        before = {row["id"] for row in await self.rows("select id from workers")}
        process = await self.start()
        async with patience():
            while True:
                now = {row["id"] for row in await self.rows("select id from workers")}
                if now - before:
                    (self.ids[process.pid],) = now - before
                    break
                await asyncio.sleep(0.002)
        return process

    async def kill(self, process: Process) -> None:
        """Kill a replica: nothing in its memory is left."""
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        self.replicas.remove(process)

    async def talk(self, automations: Mapping[str, Json] = ALL) -> None:
        """Connect once an engine answers, and store the automations."""
        talk = talking(self.url, self.prefix)
        self._connection = await self.stack.enter_async_context(talk)
        for name, raw in automations.items():
            await call(self.connection, "automations.create", name=name, definition=raw)

    # Tables.

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Look into the tables."""
        return list(await self.pool.fetch(query, *arguments))

    async def value(self, query: str, *arguments: object) -> Any:
        """Look into the tables for one value."""
        return await self.pool.fetchval(query, *arguments)

    async def until(self, what: Callable[[], Awaitable[bool]]) -> None:
        """Wait for something; if it does not come, show what is open."""
        try:
            async with patience():
                while not await what():
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            active = await self.value(ACTIVE)
            unsent = await self.value(UNSENT)
            text = await self.show()
            told = f"{active} active, {unsent} unsent; the first:\n{text}"
            raise AssertionError(f"not within {LIMIT_SECONDS:g} s; {told}") from None

    async def show(self, run_ids: Sequence[str] | None = None) -> str:
        """Give all that the tables hold of some active runs, or of the first that are active."""
        rows = await self.rows(OPEN_ROWS, run_ids)
        text = "\n".join(json.dumps(dict(row), indent=1) for row in rows)
        held = "\n".join(str(dict(row)) for row in await self.rows(HELD_UP))
        stream = self.connection.names.triggers_stream
        group = await self.ask_jetstream(f"CONSUMER.INFO.{stream}.engine")
        shown = {name: value for name, value in group.items() if name.startswith("num_")}
        return f"{text}\nsessions held up or holding up: {held}\nintake: {shown}"

    async def until_ended(self, runs: int) -> None:
        """Wait until so many runs have ended, and all of it is told."""

        async def done() -> bool:
            return await self.value(ENDED) >= runs and not await self.value(UNSENT)

        await self.until(done)

    async def asleep(self, least: int) -> dict[UUID, datetime]:
        """Give what is due later, and when; wait until it is as much as that."""
        armed = "select id, due_at from waits where state = 'armed' and due_at > clock_timestamp()"

        async def enough() -> bool:
            return len(await self.rows(armed)) >= least

        await self.until(enough)
        return {row["id"]: row["due_at"] for row in await self.rows(armed)}

    async def lateness(self, sleepers: dict[UUID, datetime]) -> list[float]:
        """Wait until all of these are woken; give by how much each was late, the latest last."""
        armed = "select id from waits where state = 'armed' and id = any ($1::uuid[])"
        late = dict.fromkeys(sleepers, 0.0)
        left = set(sleepers)

        async def woken() -> bool:
            now = await self.value("select clock_timestamp()")
            left.intersection_update({row["id"] for row in await self.rows(armed, list(left))})
            for one in left:
                late[one] = max(0.0, round((now - sleepers[one]).total_seconds(), 2))
            return not left

        await self.until(woken)
        return sorted(late.values())

    async def taken_up(self) -> None:
        """Wait until what is ready now is taken up by someone."""
        ready = await self.rows("select id from runs where status = 'pending'")
        waiting = "select count(*) from runs where status = 'pending' and id = any ($1::uuid[])"
        ids = [row["id"] for row in ready]

        async def done() -> bool:
            return not await self.value(waiting, ids)

        await self.until(done)

    # Events.

    async def publish(
        self, event: str, body: Json, key: str, message_id: str, lane: str = ""
    ) -> None:
        """Publish an event; returned when it is acknowledged."""
        subject = self.connection.names.trigger(event, lane)
        head = {HEADER_CONTEXT_KEY: key, HEADER_MESSAGE_ID: message_id}
        await bus.Publisher(self.connection).publish(subject, json.dumps(body).encode(), head)

    async def begin(self, n: int) -> None:
        """Publish the event that starts the nth run."""
        await self.publish(f"sleep.{name_of(n)}", payload(n), KEY, f"begin {n}")
        self.published.add(n)

    async def answer(self, event: str, key: str, tag: str) -> None:
        """Publish an awaited event."""
        self.tags.setdefault(key, set()).add(tag)
        await self.publish(event, {"ok": True, "tag": tag}, key, f"{event} {key} {tag}")

    async def distract(self, event: str, key: str, tag: str) -> None:
        """Publish events that are almost those which are awaited."""
        body = {"ok": False, "tag": "wrong"}
        await self.publish(event, body, key, f"{event} {key} {tag} filter")
        body = {"ok": True, "tag": "wrong"}
        await self.publish(event, body, f"{key}0x", f"{event} {key} {tag} key")

    async def answer_early(self, keys: list[str]) -> None:
        """Publish awaited events before anyone waits, and see to it that they are handled."""
        for key in keys:
            await self.publish(GO, {"ok": True, "tag": "early"}, key, f"early {key}")

        async def handled() -> bool:
            count = "select count(*) from receipts where event_id = $1"
            return bool(await self.value(count, GO) >= len(keys))

        await self.until(handled)

    # The bus.

    @property
    def bucket_streams(self) -> list[str]:
        """The streams of the buckets of what sleeps."""
        names = self.connection.names
        return [names.bucket_stream(name) for name in (names.delays_bucket, names.waits_bucket)]

    async def has_alarms(self) -> bool:
        """Say whether both buckets are there, and someone listens to their alarms."""
        try:
            for stream in self.bucket_streams:
                await self.ask_jetstream(f"CONSUMER.INFO.{stream}.engine")
        except bus.api.ApiError:
            return False
        return True

    async def ask_jetstream(self, what: str, request: object = None) -> Json:
        """Call the API of JetStream."""
        return await bus.api.call(self.connection, what, request)


@asynccontextmanager
async def open_fleet(
    servers: Servers, dsn: str, folder: Path, **settings: object
) -> AsyncIterator[Fleet]:
    """Open a fleet without replicas."""
    prefix = f"s{uuid4().hex[:10]}"
    common: Json = {
        "NATS__SERVERS": servers.nats_url,
        "NATS__PREFIX": prefix,
        "NATS__ACK_WAIT_SECONDS": 3,
        "POSTGRES__DSN": dsn,
        "ENGINE__CATALOG": "open",
        "ENGINE__STUB_ACTIONS": "true",
        "ENGINE__STUB_RECORD_FILE": folder / "calls.jsonl",
        "ENGINE__BATCH_SIZE": 16,
        "ENGINE__HEARTBEAT_SECONDS": 0.3,
        "ENGINE__STALE_SECONDS": 5,  # so that a busy machine lets nobody look dead
    }
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=3))
        env = environment(**{**common, **settings})
        yield Fleet(servers.nats_url, prefix, env, folder, pool, stack)


def _let_go_on(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def answering(fleet: Fleet, seed: int) -> AsyncIterator[asyncio.TaskGroup]:
    """Answer what waits, a while after it is armed, with distractions before.

    The group is for what else goes on meanwhile.
    """
    dice = random.Random(seed)  # noqa: S311 - a scenario
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(fleet, group, dice))
        yield group
        watching.cancel()


ARMED = """
    select id, event_id, context_key from waits
     where state = 'armed' and kind = 'event' and not id = any ($1::uuid[])
"""


async def _watch(fleet: Fleet, group: asyncio.TaskGroup, dice: random.Random) -> None:
    while True:
        for row in await fleet.rows(ARMED, fleet.awaited):
            fleet.awaited.append(row["id"])
            group.create_task(_reply(fleet, row["event_id"], row["context_key"], row["id"], dice))
        await asyncio.sleep(LOOK_SECONDS)


async def _reply(fleet: Fleet, event: str, key: str, wait: UUID, dice: random.Random) -> None:
    tag = str(wait)
    if event == NEVER or dice.random() < 0.2:
        await fleet.distract(event, key, tag)
    if event != NEVER:
        # A race is answered before, at about and after the end of its second.
        await asyncio.sleep(dice.uniform(0.5, 1.5) if event == RACE else dice.uniform(0, 0.8))
        await fleet.answer(event, key, tag)
