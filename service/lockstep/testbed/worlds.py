"""Worlds for cases, on servers of their own; and those whose workers are killed for real."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from lockstep import bus, embedded, store
from lockstep.cases.expect import Seen
from lockstep.cases.format import STARTS_AT, PublishEntry
from lockstep.cases.operations import CaseRefused
from lockstep.catalog import Recorder
from lockstep.model.errors import Unavailable
from lockstep.model.ids import uuid7
from lockstep.settings.structs import EngineSettings, PostgresSettings, Settings
from lockstep.testbed import worker
from lockstep.testbed.worker import Advance, Advanced
from lockstep.testbed.world import REQUEST_SECONDS, CaseWorld
from lockstep_schemas.base import Json

START_SECONDS: Final = 60.0  # a busy machine takes ten for what takes one


class CrashWorld(CaseWorld):
    """A world whose workers are processes of their own, and are killed."""

    def __init__(self, settings: Settings, database: store.Store, client: bus.Connection) -> None:
        super().__init__(settings, database, client)
        self._folder = TemporaryDirectory(prefix="lockstep-case-")
        self._records = Path(self._folder.name) / "calls.jsonl"
        self._workers: dict[str, asyncio.subprocess.Process] = {}

    async def begin(
        self, stubs: Mapping[str, Json], instances: int, starts_at: datetime = STARTS_AT
    ) -> None:
        """Forget the case before; start so many workers."""
        if stubs:
            raise CaseRefused("stubs do not go with crash_after: use the test actions")
        self._number, self._instances = self._number + 1, instances
        self.clock.set(starts_at)
        await self._kill()
        await self._drop_events()
        await self._database.forget_all()
        self._records.write_bytes(b"")
        await self._spawn()

    async def abandon(self) -> None:
        """See `cases.runner.World`."""
        await self._kill()

    async def publish(self, entry: PublishEntry, name: str) -> None:
        """Publish an event; say before at which point the workers die."""
        if entry.crash_after is not None:
            for worker_name in self._workers:
                await self.call(f"case.{worker_name}.crash_at", point=entry.crash_after)
        await super().publish(entry, name)

    async def sweep(self, heartbeat_age_seconds: float, *, mark_running: bool) -> None:
        """Do the damage; the workers look for themselves, several times a second.

        Their time passes by itself: who has died is seen to be dead in half a second.
        """
        del heartbeat_age_seconds
        if mark_running:
            await self._database.mark_running()
        await self._quiet()

    async def redeliver(self, name: str) -> None:
        """Refuse: what was taken is in another process."""
        raise CaseRefused("redeliver does not go with crash_after")

    async def stop(self) -> None:
        """Kill the workers that live still."""
        await self._kill()

    async def start(self) -> None:
        """Start as many workers as the case wants."""
        await self._spawn()
        await self._quiet()

    async def advance(self, seconds: float) -> None:
        """Let engine seconds pass in the workers that live."""
        target = self.clock.time + timedelta(seconds=seconds)
        while True:
            # All together from due to due: no worker is ahead of the others.
            dues = [one.next_due for one in await self._settled() if one.next_due is not None]
            following = min([target, *dues])
            self.clock.skip(max(0.0, (following - self.clock.time).total_seconds()))
            if following >= target:
                await self._settled()
                return

    async def seen(self) -> Seen:
        """Say what was done since the case began, by the living and the dead."""
        for call in Recorder.read(self._records):
            self.recorder.calls.append(call)
            if call.action == "test.record":
                self.recorder.records.append(call)
            elif call.action == "test.consumer":
                self.recorder.consumed.append(call.value)
        seen = await super().seen()
        self._clear_records()
        return seen

    async def close(self) -> None:
        """Kill all workers."""
        await self._kill()
        self._folder.cleanup()

    async def _spawn(self) -> None:
        nats, postgres = self._settings.nats, self._settings.postgres
        settings = {
            "NATS__SERVERS": ",".join(nats.servers),
            "NATS__PREFIX": nats.prefix,
            "NATS__STORAGE": nats.storage,
            "NATS__ACK_WAIT_SECONDS": str(nats.ack_wait_seconds),
            "POSTGRES__DSN": postgres.dsn,
            "ENGINE__STUB_RECORD_FILE": str(self._records),
            "ENGINE__HEARTBEAT_SECONDS": "0.1",
            "ENGINE__STALE_SECONDS": "0.5",
            "ENGINE__KEEP_RUNS_DAYS": "0",
        }
        stored = msgspec.json.encode(self._times.known).decode()
        environment = {f"LOCKSTEP_{name}": value for name, value in settings.items()}
        for _ in range(self._instances):
            name = f"w{uuid7().hex}"
            self._workers[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", worker.__name__, name, self.clock.time.isoformat(),
                stored, env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        async with asyncio.timeout(START_SECONDS):
            for name in self._workers:
                while not await self._answers(name):  # noqa: ASYNC110 - another process starts
                    await asyncio.sleep(0.02)

    async def _answers(self, name: str) -> bool:
        try:
            await bus.ApiClient(self._client).request(f"case.{name}.crash_at", b'{"point": ""}', 1)
        except Unavailable:
            return False
        return True

    async def _kill(self) -> None:
        for process in self._workers.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        self._workers.clear()

    async def _quiet(self) -> None:
        await self._settled()

    async def _settled(self) -> Sequence[Advanced]:
        """Return when all workers are dead, or nothing is left to do for those that live.

        What the dead have executed is taken over first, if somebody is there to do so.
        """
        while True:
            living = [await self._moved(name) for name in self._workers]
            known = [one for one in living if one is not None]
            backlog = await self._backlog()
            if not known:
                return []
            active = sum(one.active for one in known)
            if (
                not backlog
                and not await self._database.is_unsettled(self.clock.time)
                and await self._database.count_running() <= active
            ):
                return known
            await asyncio.sleep(0.01)

    async def _moved(self, name: str) -> Advanced | None:
        """Bring a worker to the time of the case; nothing if it is dead, or dies of it."""
        process = self._workers[name]
        while process.returncode is None:
            to = msgspec.json.encode(Advance(self.clock.time, self._times.known))
            client = bus.ApiClient(self._client)
            asking = asyncio.create_task(
                client.request(f"case.{name}.advance", to, REQUEST_SECONDS)
            )
            dying = asyncio.create_task(process.wait())
            await asyncio.wait({asking, dying}, return_when=asyncio.FIRST_COMPLETED)
            dying.cancel()
            if not asking.done():
                asking.cancel()  # it has died of it
            elif isinstance(asking.exception(), Unavailable):
                await asyncio.sleep(0.01)  # nobody answers: it is dead in a moment
            else:
                moved: Advanced = msgspec.json.decode(asking.result().body, type=Advanced)
                # What comes now is later than all that it has done.
                self.clock.skip(max(0.0, (moved.now - self.clock.time).total_seconds()))
                return moved
        return None


@asynccontextmanager
async def world(
    server: embedded.Server, name: str, *, kills: bool, kind: type[CaseWorld] = CaseWorld
) -> AsyncIterator[CaseWorld]:
    """Open a world, with a database of its own on a server, and a bus of its own.

    So its subjects are those that authors write. With `kills` its workers are processes of their
    own, which die for real; else the world may be of another kind.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="lockstep-test-"))
        own = await stack.enter_async_context(embedded.nats(Path(folder), ephemeral=True))
        dsn = await store.create_database(server.address, name)
        await store.migrate(dsn)
        nats = bus.BusSettings(
            servers=[own.address],
            storage="memory",
            name="cases",
            ack_wait_seconds=1 if kills else 30,
        )
        settings = Settings(
            nats=nats,
            postgres=PostgresSettings(dsn=dsn),
            engine=EngineSettings(
                catalog="open", stub_actions=True, grace_seconds=1, keep_runs_days=0
            ),
        )
        database = await store.Store.connect(dsn, 10)
        stack.push_async_callback(database.close)
        client = await bus.connect(nats)
        stack.push_async_callback(client.close)
        await bus.apply(client)
        opened = (CrashWorld if kills else kind)(settings, database, client)
        stack.push_async_callback(opened.close)
        names = client.names
        for subject in (names.automation("*", "*"), names.run("*", "*")):
            feed = await stack.enter_async_context(bus.follow(client, subject))
            listening = asyncio.create_task(opened.listen(feed))
            stack.push_async_callback(_ended, listening)
        yield opened


async def _ended(task: asyncio.Task[None]) -> None:
    """End a task that runs for ever."""
    task.cancel()
    await asyncio.wait({task})


@asynccontextmanager
async def database_server() -> AsyncIterator[embedded.Server]:
    """A PostgreSQL of our own, gone at the end with all that it held."""
    with TemporaryDirectory(prefix="lockstep-test-") as folder:
        async with embedded.postgres(Path(folder), ephemeral=True) as started:
            yield started
