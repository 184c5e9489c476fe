"""The proxies that the tests of doubt stand on: each fate does what it says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from doubt import fates
from doubt.fates import Exchange, Fate, Once
from doubt.proxy_nats import NatsProxy
from doubt.proxy_postgres import WRITES, PostgresProxy
from engine.engine_fixture import rows
from lockstep import bus, store
from lockstep.embedded import Servers
from lockstep.model.errors import Unavailable
from lockstep.store.queries import query
from patience import until

COUNT = "select count(*) from receipts"
SUSPECT = "receipts/suspect"


@asynccontextmanager
async def between(dsn: str) -> AsyncIterator[tuple[PostgresProxy, store.Store]]:
    """Open a store by way of a proxy."""
    async with PostgresProxy(dsn).opened() as proxy:
        database = await store.Store.connect(proxy.dsn, 4)
        try:
            yield proxy, database
        finally:
            database.pool.terminate()


async def test_what_passes_is_told_by_its_query(dsn: str) -> None:
    seen: list[Exchange] = []
    async with between(dsn) as (proxy, database):
        proxy.heard = seen.append
        await database.suspect("one")
        async with database.transaction() as connection:
            await connection.execute(*query(SUSPECT, delivery="two"))
            await connection.execute(*query("receipts/clear_suspect", delivery="one"))
        await database.ping()
    durable = [one.marks for one in seen if one.is_durable]
    assert durable == [{SUSPECT}, {"commit", SUSPECT, "receipts/clear_suspect"}]
    assert {"status/ping"} in [one.marks for one in seen]


async def suspect(database: store.Store, in_transaction: bool) -> None:
    """Store a row, in a statement of its own or in a transaction."""
    if not in_transaction:
        await database.suspect("one")
        return
    async with database.transaction() as connection:
        await connection.execute(*query(SUSPECT, delivery="one"))


@pytest.mark.parametrize(
    ("fate", "kept"),
    [
        (fates.RESET_BEFORE, False),
        (fates.RESET_AFTER, True),
        (fates.ALL_BEFORE, False),
        (fates.ALL_AFTER, True),
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_connection_that_is_reset_leaves_in_doubt_what_the_server_did(
    dsn: str, fate: Fate, kept: bool, in_transaction: bool
) -> None:
    async with between(dsn) as (proxy, database):
        await database.ping()
        proxy.arbiter = Once(SUSPECT, fate)
        with pytest.raises(Unavailable):
            await suspect(database, in_transaction)
        found = await rows(dsn, "select count(*) from suspects")
        assert found[0][0] == int(kept)
        await database.ping()


@pytest.mark.parametrize(("fate", "kept"), [(fates.WITHHELD, False), (fates.SWALLOWED, True)])
async def test_a_server_that_is_silent_leaves_the_client_waiting(
    dsn: str, fate: Fate, kept: bool
) -> None:
    async with between(dsn) as (proxy, database):
        await database.ping()
        proxy.arbiter = once = Once(SUSPECT, fate)
        waiting = asyncio.create_task(database.suspect("one"))
        await until(lambda: once.struck)

        async def is_kept() -> bool:
            return (await rows(dsn, "select count(*) from suspects"))[0][0] == int(kept)

        await until(is_kept)
        await database.ping()
        assert not waiting.done()
        proxy.end_all()
        with pytest.raises(Unavailable):
            await waiting


async def test_what_is_held_comes_later(dsn: str) -> None:
    async with between(dsn) as (proxy, database):
        proxy.arbiter = Once(SUSPECT, Fate(hold_seconds=0.2, hold_answer_seconds=0.2))
        before = asyncio.get_running_loop().time()
        assert await database.suspect("one") == 1
        assert asyncio.get_running_loop().time() - before >= 0.4


async def test_a_closed_proxy_lets_nobody_in(dsn: str) -> None:
    async with between(dsn) as (proxy, database):
        proxy.is_open = False
        proxy.end_all()
        with pytest.raises(Unavailable):
            await database.ping()
        proxy.is_open = True
        await database.ping()


def test_a_query_that_only_locks_is_no_write() -> None:
    assert {
        "runs/checkpoint",
        "runs/claim_ready",
        "outbox/forget",
        "automations/lock",
    } & WRITES == {
        "runs/checkpoint",
        "runs/claim_ready",
        "outbox/forget",
    }


@asynccontextmanager
async def on_bus(servers: Servers) -> AsyncIterator[tuple[NatsProxy, bus.Connection]]:
    """Connect to a bus of one's own by way of a proxy."""
    prefix = f"p{uuid4().hex[:10]}"
    async with NatsProxy(servers.nats_url, prefix).opened() as proxy:
        settings = bus.BusSettings(servers=[proxy.url], prefix=prefix, storage="memory")
        connection = await bus.connect(settings)
        try:
            await bus.prepare(connection)
            yield proxy, connection
        finally:
            await connection.close()


@pytest.mark.parametrize(
    ("fate", "kept"),
    [
        (fates.WITHHELD, 0),
        (fates.SWALLOWED, 1),
        (fates.RESET_BEFORE, 0),
        (fates.RESET_AFTER, 1),
        (fates.ALL_BEFORE, 0),
        (fates.ALL_AFTER, 1),
    ],
)
async def test_a_message_is_stored_or_not_while_its_publisher_hears_nothing(
    servers: Servers, fate: Fate, kept: int
) -> None:
    async with on_bus(servers) as (proxy, connection):
        publisher, names = bus.Publisher(connection), connection.names
        proxy.arbiter = once = Once("PUB lockstep.trigger.doubt", fate)
        publishing = asyncio.create_task(publisher.publish(names.trigger("doubt"), b"{}", {}))
        await until(lambda: once.struck)
        if not fate.resets:
            proxy.end_all()
        with pytest.raises(Unavailable):
            await publishing
        await until(lambda: connection.healthy)
        info = await bus.api.call(connection, f"STREAM.INFO.{names.triggers_stream}")
        assert info["state"]["messages"] == kept
        await publisher.publish(names.trigger("doubt"), b"{}", {})
