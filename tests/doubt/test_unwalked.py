"""Whoever does not know whether it owns a run goes on with it: nothing is owned and not walked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from doubt.fates import RESET_AFTER, RESET_BEFORE, SWALLOWED, Fate, Once
from doubt.proxy_postgres import PostgresProxy
from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from lockstep import store
from lockstep.embedded import Servers
from lockstep.model.errors import Unavailable
from patience import patience, until
from unit.values import uid

OPEN = "select count(*) from runs where finished_at is null"
RECORD = {
    "action": "test.record",
    "id": "done",
    "config": {"value": "{{ trigger.payload.n }}"},
}
DELAY = {"delay": {"seconds": 3600}}
CHILD = {"action": "automation.start", "id": "child", "config": {"automation": "child"}}


@asynccontextmanager
async def between(servers: Servers, dsn: str) -> AsyncIterator[tuple[PostgresProxy, EngineFixture]]:
    """An engine whose connections to PostgreSQL pass a proxy; nobody takes it for dead."""
    async with PostgresProxy(dsn).opened() as proxy:
        prefix = f"d{uuid4().hex[:10]}"
        settings = settings_of(servers.nats_url, proxy.dsn, prefix, stale_seconds=3600)
        async with engine_fixture(settings) as opened:
            yield proxy, opened


async def all_ended(dsn: str) -> None:
    """Wait until no run is open."""

    async def ended() -> bool:
        return not (await rows(dsn, OPEN))[0][0]

    await until(ended, "all runs have ended", 0.05)


@pytest.mark.parametrize(
    ("mark", "fate"), [("runs/create", RESET_AFTER), ("runs/create", RESET_BEFORE)]
)
async def test_a_run_whose_launch_was_in_doubt_is_walked_once(
    servers: Servers, dsn: str, mark: str, fate: Fate
) -> None:
    async with between(servers, dsn) as (proxy, engine):
        stored = await engine.automation([RECORD])
        proxy.arbiter = once = Once(mark, fate)
        seen = await stored.run({"n": "1"})
        assert once.struck
        assert (seen.status, seen.recorded) == ("success", ["1"])
        await all_ended(dsn)


@pytest.mark.parametrize(
    ("mark", "durable", "fate"),
    [
        ("runs/claim_ready", True, RESET_AFTER),
        ("waits/fired_of", False, RESET_BEFORE),  # the read that follows the claim
        ("runs/checkpoint=waiting", True, RESET_AFTER),
        ("waits/fire", True, RESET_AFTER),
    ],
)
async def test_a_run_whose_sleep_wake_or_claim_was_in_doubt_goes_on_and_calls_once(
    servers: Servers, dsn: str, mark: str, durable: bool, fate: Fate
) -> None:
    async with between(servers, dsn) as (proxy, engine):
        stored = await engine.automation([DELAY, RECORD])
        proxy.arbiter = once = Once(mark, fate, durable=durable)
        await engine.publish(stored.event, {"n": "1"})
        waiting = "select id::text from runs where status = 'waiting'"

        async def asleep() -> bool:
            return bool(await rows(dsn, waiting))

        await until(asleep)
        (row,) = await rows(dsn, waiting)
        await engine.make_due(row["id"])
        await engine.ended(stored.id, 1)
        assert once.struck
        seen = await stored.seen(row["id"])
        assert (seen.status, seen.recorded) == ("success", ["1"])
        await all_ended(dsn)


async def test_a_child_whose_start_was_in_doubt_is_started_once_and_its_step_succeeds(
    servers: Servers, dsn: str
) -> None:
    async with between(servers, dsn) as (proxy, engine):
        await engine.call(
            "automations.create", id="child", name="child",
            definition={"name": "child", "triggers": [{"event": "e.c"}], "actions": []},
        )  # fmt: skip
        parent = await engine.automation([CHILD])
        # The first one is the launch of the parent.
        proxy.arbiter = once = Once("runs/create", RESET_AFTER, nth=2)
        seen = await parent.run({})
        assert once.struck
        assert seen.status == "success"
        await all_ended(dsn)
        assert len(await rows(dsn, "select from runs where automation_id = 'child'")) == 1


async def test_a_start_by_hand_whose_commit_was_in_doubt_is_told_and_walked(
    servers: Servers, dsn: str
) -> None:
    async with between(servers, dsn) as (proxy, engine):
        stored = await engine.automation([RECORD])
        proxy.arbiter = once = Once("runs/create", RESET_AFTER)
        reply = await engine.ask("runs.start", automation_id=stored.id, payload={"n": "1"})
        assert once.struck
        assert not reply.error_code
        await engine.ended(stored.id, 1)
        await all_ended(dsn)


async def test_a_beat_whose_answer_never_comes_is_made_anew_on_another_connection(dsn: str) -> None:
    async with PostgresProxy(dsn).opened() as proxy:
        database = await store.Store.connect(proxy.dsn, 4)
        worker = store.WorkerStore(database, uid(1))
        try:
            await worker.heartbeat("host", "1")
            proxy.arbiter = once = Once("workers/heartbeat", SWALLOWED)
            async with patience():
                with pytest.raises(Unavailable):
                    await worker.heartbeat("host", "1")
                assert once.struck
                assert database.apart("heartbeat").pool.get_size() == 0, "it would be asked again"
                await worker.heartbeat("host", "1")
        finally:
            database.pool.terminate()
            database.apart("heartbeat").pool.terminate()
