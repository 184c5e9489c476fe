"""Postgres or NATS away: no event is lost, none acknowledged too early, the engine goes on."""

import asyncio
import json
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.test_language import record
from lockstep import bus, embedded
from lockstep.model.errors import Unavailable
from lockstep.store.migrate import migrate
from lockstep_schemas.api import Fault
from patience import briefly, patience, until

EVENTS = 100


class Servers:
    """Both servers, each of which can be stopped and started again where it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stacks = {"nats": AsyncExitStack(), "postgres": AsyncExitStack()}
        self.address: dict[str, str] = {}

    async def start(self, name: str) -> None:
        """Start one of them."""
        starter = {"nats": embedded.nats, "postgres": embedded.postgres}[name]
        server = await self._stacks[name].enter_async_context(starter(self.folder, ephemeral=True))
        assert self.address.setdefault(name, server.address) == server.address

    async def stop(self, name: str) -> None:
        """Stop it; its data stay."""
        await self._stacks[name].aclose()
        self._stacks[name] = AsyncExitStack()

    async def close(self) -> None:
        """Stop both."""
        for name in self._stacks:
            await self.stop(name)


@pytest.fixture
def prefix() -> str:
    """All on one server of its own: any prefix will do."""
    return "outage"


async def opened(folder: Path, stack: AsyncExitStack, prefix: str) -> tuple[Servers, EngineFixture]:
    """Servers of this test alone, and an engine on them."""
    servers = Servers(folder)
    stack.push_async_callback(servers.close)
    for name in ("postgres", "nats"):
        await servers.start(name)
    await migrate(servers.address["postgres"])
    settings = settings_of(servers.address["nats"], servers.address["postgres"], prefix)
    nats = bus.BusSettings(servers=settings.nats.servers, prefix=prefix, ack_wait_seconds=2)
    settings = type(settings)(nats=nats, postgres=settings.postgres, engine=settings.engine)
    return servers, await stack.enter_async_context(engine_fixture(settings))


async def publish_all(engine_fixture: EngineFixture, event: str, first: int) -> None:
    """Publish events until each is acknowledged, as a careful publisher does: with its id."""
    publisher = bus.Publisher(engine_fixture.connection)
    subject = engine_fixture.connection.names.trigger(event)
    for n in range(first, first + EVENTS):
        while True:
            try:
                body = json.dumps({"n": n}).encode()
                await publisher.publish(subject, body, {"Nats-Msg-Id": f"n{n}"})
                break
            except Unavailable:
                await asyncio.sleep(0.1)


async def is_busy(engine_fixture: EngineFixture) -> None:
    """The API says that a server is away, and that the same may work later."""
    reply = await engine_fixture.ask("automations.list")
    fault = msgspec.json.decode(reply.body, type=Fault)
    assert (reply.error_code, fault.code, fault.error) == ("503", "busy", "store.unavailable")
    assert "PostgreSQL" in fault.message


async def all_ended(dsn: str, runs: int) -> None:
    """Wait until the tables say that so many runs have succeeded and all events are sent."""
    query = """
        select (select count(*) from runs where status = 'success') as done,
               (select count(*) from outbox) as unsent
    """
    async with patience():
        while True:
            (found,) = await rows(dsn, query)
            if found["done"] >= runs and not found["unsent"]:
                return
            await asyncio.sleep(0.1)


async def test_events_that_arrive_while_postgres_is_away_have_their_runs_when_it_is_back(
    tmp_path: Path, prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        servers, engine_fixture = await opened(tmp_path, stack, prefix)
        automation = await engine_fixture.automation([record("{{ trigger.payload.n }}")])
        await publish_all(engine_fixture, automation.event, 0)
        await servers.stop("postgres")
        await is_busy(engine_fixture)
        await publish_all(engine_fixture, automation.event, EVENTS)
        await servers.start("postgres")
        await all_ended(servers.address["postgres"], 2 * EVENTS)
        values = sorted(int(str(call.value)) for call in engine_fixture.recorder.records)
        assert sorted(set(values)) == list(range(2 * EVENTS))
        (count,) = await rows(servers.address["postgres"], "select count(*) from runs")
        assert count[0] == 2 * EVENTS


async def test_the_engine_goes_on_by_itself_when_nats_is_back(tmp_path: Path, prefix: str) -> None:
    async with AsyncExitStack() as stack:
        servers, engine_fixture = await opened(tmp_path, stack, prefix)
        automation = await engine_fixture.automation([record("{{ trigger.payload.n }}")])
        await publish_all(engine_fixture, automation.event, 0)
        await servers.stop("nats")
        starting = asyncio.create_task(servers.start("nats"))
        await publish_all(engine_fixture, automation.event, EVENTS)
        await starting
        await all_ended(servers.address["postgres"], 2 * EVENTS)
        (count,) = await rows(servers.address["postgres"], "select count(*) from runs")
        assert count[0] == 2 * EVENTS


async def test_a_server_that_becomes_read_only_is_left_and_found_again_when_it_takes_writes(
    tmp_path: Path, prefix: str
) -> None:
    """As at a failover where the address stays: sessions of before are worth nothing."""
    async with AsyncExitStack() as stack:
        servers, engine_fixture = await opened(tmp_path, stack, prefix)
        dsn = servers.address["postgres"]
        automation = await engine_fixture.automation([record("{{ trigger.payload.n }}")])
        await publish_all(engine_fixture, automation.event, 0)
        before = await sessions_of(dsn)
        await demoted(dsn, "on")
        await publish_all(engine_fixture, automation.event, EVENTS)
        await until(lambda: not engine_fixture.assembly.loops.heartbeat.is_fresh)
        await demoted(dsn, "off")
        await all_ended(dsn, 2 * EVENTS)
        (count,) = await rows(dsn, "select count(*) from runs")
        assert count[0] == 2 * EVENTS
        # One that nobody has asked for since is closed when somebody does: here the index.
        await engine_fixture.automation([record("x")])

        async def all_have_gone() -> bool:
            return not before & await sessions_of(dsn)

        await until(all_have_gone)


async def test_a_publish_is_no_failure_where_nats_is_started_again_meanwhile(
    tmp_path: Path, prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        servers, engine_fixture = await opened(tmp_path, stack, prefix)
        heard = await engine_fixture.automation([record("{{ trigger.payload.n }}")])
        subject = engine_fixture.connection.names.trigger(heard.event)
        told = await engine_fixture.automation(
            [
                {
                    "action": "nats.publish",
                    "config": {"subject": subject, "payload": {"n": "{{ trigger.payload.n }}"}},
                }
            ]
        )
        for turn in range(3):
            await publish_all(engine_fixture, told.event, turn * EVENTS)
            await servers.stop("nats")
            await servers.start("nats")
        await all_ended(servers.address["postgres"], 6 * EVENTS)
        failed = await rows(
            servers.address["postgres"], "select error_message from runs where status = 'failed'"
        )
        assert failed == []
        values = sorted(int(str(call.value)) for call in engine_fixture.recorder.records)
        assert values == list(range(3 * EVENTS)), "each was published once"


async def sessions_of(dsn: str) -> set[int]:
    """The processes of the server that serve an engine."""
    found = await rows(dsn, "select pid from pg_stat_activity where application_name = 'lockstep'")
    return {row["pid"] for row in found}


async def demoted(dsn: str, is_read_only: str) -> None:
    """Have a server refuse writes, also of sessions that there are, or take them again."""
    await rows(dsn, f"alter system set default_transaction_read_only = {is_read_only}")
    await rows(dsn, "select pg_reload_conf()")


async def test_an_engine_that_is_started_before_its_servers_waits_for_them(
    tmp_path: Path, prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        servers = Servers(tmp_path)
        stack.push_async_callback(servers.close)
        for name in ("postgres", "nats"):
            await servers.start(name)
        await migrate(servers.address["postgres"])
        for name in ("postgres", "nats"):
            await servers.stop(name)
        settings = settings_of(servers.address["nats"], servers.address["postgres"], prefix)
        opening = asyncio.create_task(stack.enter_async_context(engine_fixture(settings)))
        with suppress(TimeoutError):
            async with briefly(0.5):
                await asyncio.shield(opening)
        assert not opening.done(), "it must wait, not fail"
        for name in ("postgres", "nats"):
            await servers.start(name)
        async with patience():
            waiting = await opening
        automation = await waiting.automation([record("x")])
        assert (await automation.run()).recorded == ["x"]
