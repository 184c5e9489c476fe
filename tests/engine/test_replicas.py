"""Several replicas on one store and bus: the mode holds, work is handed over, none starves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg
import msgspec
import pytest_asyncio

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_language import record
from lockstep import bus
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.types import ActionContext, ActionResult
from patience import patience, until

ACTIVE = "select count(*) from runs where status in ('pending', 'running', 'waiting')"


@asynccontextmanager
async def watching(dsn: str) -> AsyncIterator[list[int]]:
    """Look again and again how many runs are active; the list has the most that were seen."""
    seen = [0]

    async def look(connection: asyncpg.Connection) -> None:
        while True:
            seen[0] = max(seen[0], await connection.fetchval(ACTIVE))

    connection = await asyncpg.connect(dsn)
    looking = asyncio.create_task(look(connection))
    try:
        yield seen
    finally:
        looking.cancel()
        await asyncio.wait({looking})
        await connection.close()


@pytest_asyncio.fixture
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Three engines in one process, each with connections of its own."""
    prefix = f"r{uuid4().hex[:10]}"
    settings = settings_of(servers.nats_url, dsn, prefix, batch_size=8, stale_seconds=60)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(engine_fixture(settings)) for _ in range(3)]


async def settled(dsn: str, runs: int) -> None:
    """Wait until so many runs have ended, refused ones too."""
    async with patience():
        while True:
            (found,) = await rows(dsn, "select count(*) from runs where finished_at is not null")
            if found[0] >= runs:
                return
            await asyncio.sleep(0.05)


async def handled(engine_fixture: EngineFixture) -> None:
    """Wait until no event is in the stream: a work queue holds them until then."""
    what = f"STREAM.INFO.{engine_fixture.connection.names.triggers_stream}"
    async with patience():
        while (await bus.api.call(engine_fixture.connection, what))["state"]["messages"]:
            await asyncio.sleep(0.002)


async def test_single_holds_over_all_replicas_however_simultaneous_the_events(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first = replicas[0]
    slow = {"action": "test.slow", "config": {"seconds": 0.02}}
    automation = await first.automation([slow], mode="single")
    async with watching(dsn) as most:
        for _ in range(5):
            await asyncio.gather(*(r.publish(automation.event, {}) for r in replicas * 20))
        await settled(dsn, 300)
    assert most == [1]
    (count,) = await rows(dsn, "select count(*) from runs where status = 'success'")
    assert count[0] >= 1


async def test_parallel_never_exceeds_max_runs_and_uses_all_of_them(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first = replicas[0]
    slow = {"action": "test.slow", "config": {"seconds": 0.3}}
    automation = await first.automation([slow], mode="parallel", max_runs=7)
    async with watching(dsn) as most:
        await asyncio.gather(*(r.publish(automation.event, {}) for r in replicas * 40))
        await settled(dsn, 120)
    assert most == [7]


async def test_a_change_through_one_replica_is_in_force_on_all_of_them(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first, *others = replicas
    automation = await first.automation([record("v0")])
    for version in range(1, 200):
        engine_fixture = others[version % 2]
        stored = await engine_fixture.call("automations.get", id=automation.id)
        definition = {**stored["definition"], "actions": [record(f"v{version}")]}
        await engine_fixture.call("automations.update", id=automation.id, definition=definition)
        await first.publish(automation.event, {"version": version})
    await settled(dsn, 199)
    found = await rows(dsn, "select version, trigger_payload from runs order by position")
    for row in found:
        # The event of a change was published after its reply: it never meets an older version.
        payload = msgspec.json.decode(row["trigger_payload"])
        assert row["version"] >= payload["version"] + 1


async def test_an_automation_that_is_switched_or_deleted_is_so_on_all_replicas(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first, *others = replicas
    automation = await first.automation([record("x")])
    for turn in range(60):
        engine_fixture = others[turn % 2]
        await engine_fixture.call("automations.toggle", id=automation.id, enabled=turn % 2 == 1)
        await first.publish(automation.event, {"wanted": turn % 2 == 1})
        await handled(first)  # what is under way is judged by what is in force when it is handled
    await settled(dsn, 30)
    await others[0].call("automations.delete", id=automation.id)
    await first.publish(automation.event, {"wanted": False})
    other = await first.automation([record("y")])
    await other.run()
    found = await rows(dsn, "select automation_id, trigger_payload from runs")
    payloads = [msgspec.json.decode(row["trigger_payload"]) for row in found]
    assert [row["automation_id"] for row in found] == [other.id], "deleted with its history"
    assert all(payload.get("wanted", True) for payload in payloads)


async def test_an_engine_that_is_stopped_hands_its_runs_over_between_two_actions(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"h{uuid4().hex[:10]}", stale_seconds=60)
    release = asyncio.Event()

    async def hold(_: ActionContext) -> ActionResult:
        await release.wait()
        return ActionResult()

    def register(registry: Registry) -> None:
        registry.add_action("hold", hold)

    plugins, slow = {"own": register}, {"action": "own.hold"}
    async with engine_fixture(settings, plugins=plugins) as first:
        automation = await first.automation([slow, record("a"), slow, record("b")])
        for _ in range(10):
            await first.publish(automation.event, {})
        await first.heard(automation.id, "started")
        first.engine.stop()
        await until(lambda: first.assembly.hearing.places.free == 0)  # its walks are to stop
        release.set()
    left = await rows(dsn, "select status, owner from runs where finished_at is null")
    assert left
    assert {(row["status"], row["owner"]) for row in left} == {("pending", None)}
    async with engine_fixture(settings, plugins=plugins) as second:
        await settled(dsn, 10)
        done = [*first.recorder.records, *second.recorder.records]
    assert len(done) == 20
    assert len({call.idempotency_key for call in done}) == 20
    statuses = await rows(dsn, "select distinct status from runs")
    assert [row["status"] for row in statuses] == ["success"]


async def test_ready_runs_beyond_the_places_wait_in_the_order_of_the_stream(
    servers: Servers, dsn: str
) -> None:
    prefix = f"o{uuid4().hex[:10]}"
    settings = settings_of(servers.nats_url, dsn, prefix, max_walks=1, max_ready_runs=10)
    async with engine_fixture(settings) as only:
        automation = await only.automation([record("{{ trigger.payload.n }}")])
        for n in range(50):
            await only.publish(automation.event, {"n": n})
        await settled(dsn, 50)
        assert [call.value for call in only.recorder.records] == [str(n) for n in range(50)]
