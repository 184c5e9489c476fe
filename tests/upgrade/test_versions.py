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
from engine.room import room, rows, settings_of
from lockstep import bus
from lockstep.embedded import Servers
from lockstep_schemas.events import HEADER_FORMAT
from lockstep_schemas.run_events import RUN_EVENT_FORMAT
from processes import call, environment, lockstep, talking

TOMORROW = Path(__file__).with_name("tomorrow.py")
LIMIT_SECONDS = 60.0
RUNS = 60
SLEEPER = {
    "name": "Sleeper",
    "triggers": [{"event": "v.sleep"}],
    "mode": "parallel",
    "max_runs": 1000,
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
        sys.executable, TOMORROW, "serve", env=dict(env), cwd=folder, stdout=DEVNULL
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 30)


class Side:
    """What both versions work on."""

    def __init__(self, servers: Servers, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        self.prefix, self.url = f"v{uuid4().hex[:12]}", servers.nats_url
        self.env = environment(
            NATS__SERVERS=servers.nats_url, NATS__PREFIX=self.prefix, NATS__STORAGE="memory",
            NATS__ACK_WAIT_SECONDS=3, POSTGRES__DSN=dsn, ENGINE__CATALOG="open",
            ENGINE__STUB_ACTIONS="true", ENGINE__STUB_RECORD_FILE=folder / "calls.jsonl",
            ENGINE__STALE_SECONDS=1.5, ENGINE__HEARTBEAT_SECONDS=0.3,
        )  # fmt: skip

    async def until(self, query: str, *arguments: object) -> None:
        """Wait until a query gives true."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not (await rows(self.dsn, query, *arguments))[0][0]:
                await asyncio.sleep(0.05)

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
WAITING = "select count(*) = $1 from waits where kind = 'event' and state = 'armed'"
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
            await side.until("select count(*) = 2 from workers")
            for number in range(RUNS // 2, RUNS):
                await side.publish(connection, "v.sleep", number)
            await side.until(WAITING, RUNS)
            saved = {f: (await rows(side.dsn, FORMATS, f))[0][0] for f in ("1", "2")}
            assert all(saved.values()), f"both have saved runs: {saved}"
            for number in range(0, RUNS, 2):
                await side.publish(connection, "v.answer", number)
            new.kill()
            await new.wait()
        # The old version alone: what is of tomorrow stays as it is.
        for number in range(1, RUNS, 2):
            await side.publish(connection, "v.answer", number)
        await side.until("select count(*) = 0 from waits where state = 'armed'")
        await side.until("select count(*) = 0 from runs where status = 'pending'")
        failed = await rows(side.dsn, "select id from runs where status = 'failed'")
        assert failed == []
        async with tomorrow(side.env, side.folder):
            old.kill()
            await old.wait()
            await side.until(ENDED, RUNS)
    statuses = await rows(side.dsn, "select status, count(*) as n from runs group by status")
    assert [tuple(row) for row in statuses] == [("success", RUNS)]
    assert side.calls() == sorted(["before"] * RUNS + [str(n) for n in range(RUNS)])


async def test_a_run_of_a_newer_format_is_held_untouched_and_holds_up_nobody(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    newer = "update run_frames set document = convert_to($1, 'utf8')"
    document = '{"f": 2, "in": {"in": {"k": "of tomorrow"}}}'
    with capture_logs() as logs:
        async with room(settings) as opened:
            automation = await opened.automation([{"delay": {"seconds": 1}}])
            await opened.publish(automation.event, {})
            await opened.heard(automation.id, "waiting")
            while not (await rows(dsn, "select owner is null from runs"))[0][0]:
                await asyncio.sleep(0.01)
            ours = (await rows(dsn, "select document from run_frames"))[0][0]
            await on_server(dsn, newer.replace("$1", f"'{document}'"))
            async with asyncio.timeout(LIMIT_SECONDS):
                while not [one for one in logs if one["event"] == "run.held"]:
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
            assert [tuple(row) for row in kept] == [("running", document)]
    connection = await asyncpg.connect(dsn)
    await connection.execute("update run_frames set document = $1", ours)
    await connection.close()
    async with room(settings) as opened:
        await opened.ended(automation.id, 1)
        run = (await opened.call("runs.list", automation_id=automation.id))["items"][0]
        assert run["status"] == "success"


async def test_a_run_of_a_newer_format_can_be_cancelled(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    async with room(settings) as opened:
        automation = await opened.automation([{"delay": {"seconds": 600}}])
        await opened.publish(automation.event, {})
        run_id = (await opened.heard(automation.id, "waiting")).data.run_id
        await on_server(dsn, "update run_frames set document = '{\"f\": 2}'")
        await opened.call("runs.cancel", id=run_id)
        assert await opened.ended(automation.id, 1) == [run_id]


async def test_run_events_say_their_format(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"v{uuid4().hex[:12]}")
    async with room(settings) as opened:
        names = opened.connection.names
        async with bus.follow(opened.connection, names.run("*", "*")) as feed:
            automation = await opened.automation([{"delay": {"seconds": 0}}])
            await opened.publish(automation.event, {})
            note = await anext(feed)
            assert note.headers[HEADER_FORMAT] == RUN_EVENT_FORMAT
