"""Two versions side by side, as real processes: neither breaks what the other one has saved."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from databases import on_server
from engine.engine_fixture import engine_fixture, rows, settings_of
from lockstep import bus
from lockstep.embedded import Servers
from lockstep_schemas.events import HEADER_FORMAT
from lockstep_schemas.run_events import RUN_EVENT_FORMAT
from patience import LIMIT_SECONDS, patience
from processes import call, environment, lockstep, talking

TOMORROW = Path(__file__).with_name("tomorrow.py")
RUNS = 60  # at least
SLEEPER = {
    "name": "Sleeper",
    "triggers": [{"event": "v.sleep"}],
    "mode": "parallel",
    "max_runs": 1000,
    "concurrency_scope": "context_key",
    "actions": [
        {"id": "before", "action": "test.record", "config": {"value": "before"}},
        {"delay": {"seconds": 2}},
        {"variables": {"n": "{{ trigger.payload.n }}"}},
        {"wait_for_trigger": {"event": "v.answer", "timeout_seconds": 600}},
        {"id": "after", "action": "test.record", "config": {"value": "{{ variables.n }}"}},
    ],
}


@asynccontextmanager
async def tomorrow(env: Mapping[str, str], folder: Path) -> AsyncIterator[Process]:
    """Run a replica of the next version."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, TOMORROW, env=dict(env), cwd=folder, stdout=DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), LIMIT_SECONDS)


class Side:
    """What both versions work on."""

    def __init__(self, servers: Servers, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        self.prefix, self.url = f"v{uuid4().hex[:12]}", servers.nats_url
        self.env = environment(
            NATS__SERVERS=servers.nats_url, NATS__PREFIX=self.prefix, NATS__STORAGE="memory",
            NATS__ACK_WAIT_SECONDS=3, POSTGRES__DSN=dsn, ENGINE__CATALOG="open",
            ENGINE__STUB_ACTIONS="true", ENGINE__STUB_RECORD_FILE=folder / "calls.jsonl",
            ENGINE__STALE_SECONDS=5, ENGINE__HEARTBEAT_SECONDS=0.3,
        )  # fmt: skip

    async def answer(self, connection: bus.Connection, until: str, *arguments: object) -> None:
        """Answer whatever waits for an answer, until a query gives true."""
        async with patience():
            while not (await rows(self.dsn, until, *arguments))[0][0]:
                for row in await rows(self.dsn, WAITING):
                    await self.publish(connection, "v.answer", int(row["context_key"][1:]))
                await asyncio.sleep(0.1)

    async def publish(self, connection: bus.Connection, event: str, number: int) -> None:
        subject = connection.names.trigger(event)
        body = json.dumps({"n": number}).encode()
        head = {"Lockstep-Context-Key": f"k{number}"}
        await bus.Publisher(connection).publish(subject, body, head)

    def calls(self) -> list[str]:
        """What `test.record` was called with, each call of each run once."""
        lines = (self.folder / "calls.jsonl").read_text().splitlines()
        found = {one["idempotency_key"]: one["value"] for one in map(json.loads, lines)}
        return sorted(found.values())


@pytest.fixture
def side(servers: Servers, dsn: str, tmp_path: Path) -> Side:
    return Side(servers, dsn, tmp_path)


FORMATS = "select count(*) from run_frames where convert_from(document, 'utf8')::json ->> 'f' = $1"
WAITING = """
    select r.context_key from waits w join runs r on r.id = w.run_id
     where w.kind = 'event' and w.state = 'armed'
"""
SOME_ENDED = "select count(*) > $1 from runs where finished_at is not null"
# What the old version is left with: runs that the new one has saved, and it holds.
ALL_HELD = """
    select not exists (select from waits where state = 'armed')
       and not exists (select from runs where status = 'pending')
       and not exists (
           select from runs r join run_frames f on f.run_id = r.id
            where r.status = 'running' and convert_from(f.document, 'utf8')::json ->> 'f' = '1'
       )
"""
ENDED = "select count(*) = $1 from runs where finished_at is not null"


async def test_two_versions_work_side_by_side_and_either_may_be_killed(side: Side) -> None:
    async with (
        lockstep("serve", env=side.env, cwd=side.folder) as old,
        talking(side.url, side.prefix) as connection,
    ):
        await call(connection, "automations.create", name="Sleeper", definition=SLEEPER)
        for number in range(RUNS // 2):
            await side.publish(connection, "v.sleep", number)
        async with tomorrow(side.env, side.folder) as new:
            total = RUNS // 2
            while total < RUNS or not (await rows(side.dsn, FORMATS, "2"))[0][0]:
                await side.publish(connection, "v.sleep", total)
                total += 1
            assert (await rows(side.dsn, FORMATS, "1"))[0][0], "both have saved runs"
            await side.answer(connection, SOME_ENDED, RUNS // 4)
            new.kill()
            await new.wait()
        # The old version alone: it ends what it can, and what is of tomorrow stays as it is.
        await side.answer(connection, ALL_HELD)
        failed = await rows(side.dsn, "select id from runs where status = 'failed'")
        assert failed == []
        async with tomorrow(side.env, side.folder):
            old.kill()
            await old.wait()
            await side.answer(connection, ENDED, total)
    statuses = await rows(side.dsn, "select status, count(*) as n from runs group by status")
    assert [tuple(row) for row in statuses] == [("success", total)]
    assert side.calls() == sorted(["before"] * total + [str(n) for n in range(total)])


async def test_a_run_of_a_newer_format_is_parked_untouched_and_holds_up_nobody(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    newer = "update run_frames set document = convert_to($1, 'utf8')"
    document = '{"f": 2, "in": {"in": {"k": "of tomorrow"}}}'
    with capture_logs() as logs:
        async with engine_fixture(settings) as opened:
            automation = await opened.automation([{"delay": {"seconds": 1}}])
            await opened.publish(automation.event, {})
            await opened.heard(automation.id, "waiting")
            while not (await rows(dsn, "select owner is null from runs"))[0][0]:
                await asyncio.sleep(0.01)
            ours = (await rows(dsn, "select document from run_frames"))[0][0]
            await on_server(dsn, newer.replace("$1", f"'{document}'"))
            async with patience():
                while not [one for one in logs if one["event"] == "row.parked"]:
                    await asyncio.sleep(0.01)
            other = await opened.automation([{"delay": {"seconds": 0}}])
            await opened.publish(other.event, {})
            await opened.ended(other.id, 1)
            kept = await rows(
                dsn,
                "select status, convert_from(document, 'utf8') from runs"
                " join run_frames on run_id = id where automation_id = $1",
                automation.id,
            )
            assert [tuple(row) for row in kept] == [("waiting", document)]
    connection = await asyncpg.connect(dsn)
    await connection.execute("update run_frames set document = $1", ours)
    await connection.close()
    async with engine_fixture(settings) as opened:
        await opened.ended(automation.id, 1)
        run = (await opened.call("runs.list", automation_id=automation.id))["items"][0]
        assert run["status"] == "success"


async def test_a_run_of_a_newer_format_can_be_cancelled(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    async with engine_fixture(settings) as opened:
        automation = await opened.automation([{"delay": {"seconds": 600}}])
        await opened.publish(automation.event, {})
        run_id = (await opened.heard(automation.id, "waiting")).data.run_id
        await on_server(dsn, "update run_frames set document = '{\"f\": 2}'")
        await opened.call("runs.cancel", id=run_id)
        assert await opened.ended(automation.id, 1) == [run_id]


async def test_run_events_say_their_format(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    async with engine_fixture(settings) as opened:
        names = opened.connection.names
        async with bus.follow(opened.connection, names.run("*", "*")) as feed:
            automation = await opened.automation([{"delay": {"seconds": 0}}])
            await opened.publish(automation.event, {})
            note = await anext(feed)
            assert note.headers[HEADER_FORMAT] == RUN_EVENT_FORMAT
