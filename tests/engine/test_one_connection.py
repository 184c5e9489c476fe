"""One thing waits for one thing, and who lives is told by nothing that waits for something else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import uuid4

import msgspec
import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from lockstep.embedded import Servers
from lockstep.settings.structs import PostgresSettings
from patience import patience, until

STARTS = 32  # at once, and far more than connections


async def test_starts_at_once_after_a_change_of_an_automation_do_not_wait_for_each_other(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"o{uuid4().hex[:10]}")
    settings = msgspec.structs.replace(settings, postgres=PostgresSettings(dsn=dsn, pool_size=4))
    async with engine_fixture(settings) as engine:
        stored = await engine.automation([])
        for name in ("one", "two", "three"):
            await engine.call("automations.update", id=stored.id, name=name)
            async with patience():
                replies = await asyncio.gather(
                    *(engine.ask("runs.start", automation_id=stored.id) for _ in range(STARTS))
                )
            refused = {reply.body.decode() for reply in replies if reply.error_code}
            assert not refused


LONG = 600.0
OWNED = "select owner, epoch from runs where owner is not null"


@asynccontextmanager
async def a_pool_without_a_connection(engine: EngineFixture, _: str) -> AsyncIterator[None]:
    """All that a replica does waits, as for a lock that somebody holds."""
    pool = engine.assembly.edge.database.pool
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        yield


@asynccontextmanager
async def a_clock_that_is_set_back(_: EngineFixture, dsn: str) -> AsyncIterator[None]:
    """What is stored is newer than the database's time, from one moment to the next."""
    await rows(dsn, "update workers set heartbeat_at = heartbeat_at + interval '1 day'")
    yield


@asynccontextmanager
async def a_clock_that_is_set_forward(_: EngineFixture, dsn: str) -> AsyncIterator[None]:
    """What is stored is old, from one moment to the next."""
    await rows(dsn, "update workers set heartbeat_at = heartbeat_at - interval '1 day'")
    yield


Harm = Callable[[EngineFixture, str], AbstractAsyncContextManager[None]]


@pytest.mark.parametrize(
    "harm", [a_pool_without_a_connection, a_clock_that_is_set_back, a_clock_that_is_set_forward]
)
async def test_a_replica_that_lives_keeps_its_runs(servers: Servers, dsn: str, harm: Harm) -> None:
    settings = settings_of(servers.nats_url, dsn, f"o{uuid4().hex[:10]}", stale_seconds=60)
    async with engine_fixture(settings) as one:
        slow = {"action": "test.slow", "config": {"seconds": 3600}, "timeout_seconds": 3600}
        stored = await one.automation([slow])
        await one.publish(stored.event, {})

        async def is_walked() -> bool:
            return bool(await rows(dsn, OWNED))

        await until(is_walked)
        before = await rows(dsn, OWNED)
        async with engine_fixture(settings) as other:
            await beat(one, other)
            async with harm(one, dsn):
                other.assembly.basis.roster.age(LONG)
                await beat(one, other)
                other.assembly.loops.claims.look()
                await other.assembly.loops.claims.tick()
            assert await rows(dsn, OWNED) == before
        run = (await rows(dsn, "select id::text from runs"))[0]["id"]
        await one.call("runs.cancel", id=run)


async def beat(*engines: EngineFixture) -> None:
    """Let each replica beat, one after the other."""
    for engine in engines:
        await engine.assembly.loops.heartbeat.once()
