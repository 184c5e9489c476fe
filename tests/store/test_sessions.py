"""Servers as they are: poolers, standbys, hosts that are silent, encodings without room."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from databases import database, on_server
from lockstep import embedded, store
from lockstep.embedded import Servers
from lockstep.model.errors import ServerUnfit, StoreUnavailable
from lockstep.model.findings import Finding
from lockstep.store import sessions
from lockstep.store.migrate import known, migrate
from patience import LIMIT_SECONDS
from pooler import pooler

READING = "default_transaction_read_only"
READ_ONLY = f"select set_config('{READING}', 'on', false)"
TIMEOUTS = ["idle_in_transaction_session_timeout", "statement_timeout"]


@asynccontextmanager
async def opened(dsn: str, size: int = 4) -> AsyncIterator[store.Store]:
    database = await store.Store.connect(dsn, size)
    try:
        yield database
    finally:
        await database.close()


async def timeouts(database: store.Store) -> Sequence[str]:
    async with database.connection() as connection:
        return [await connection.fetchval(f"show {name}") for name in TIMEOUTS]


async def processes(database: store.Store, sessions: int) -> set[int]:
    """Give the processes of so many sessions, which are lent at the same time."""
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(database.pool.acquire()) for _ in range(sessions)]
        return {await one.fetchval("select pg_backend_pid()") for one in lent}


def found(findings: Sequence[Finding], check: str) -> Finding:
    (one,) = [finding for finding in findings if finding.check == check]
    return one


async def test_a_pooler_of_sessions_is_no_hindrance_and_the_time_outs_hold(dsn: str) -> None:
    async with pooler(dsn, "session") as between, opened(between.address) as database:
        assert await timeouts(database) == ["8s", "10s"]
        assert between.refused == []


async def test_migrations_go_through_a_pooler_of_sessions(servers: Servers, dsn: str) -> None:
    name = f"t_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name}")
    async with pooler(database(servers.postgres_dsn, name), "session") as between:
        assert await migrate(between.address) == known()
    await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


async def test_a_pooler_of_transactions_is_refused_at_start(dsn: str) -> None:
    async with pooler(dsn, "transaction") as between:
        with pytest.raises(ServerUnfit, match="pool_mode = session"):
            await store.Store.connect(between.address, 4)


async def test_migrations_refuse_a_pooler_of_transactions(dsn: str) -> None:
    async with pooler(dsn, "transaction") as between:
        with pytest.raises(ServerUnfit, match="pool_mode = session"):
            await migrate(between.address)


async def test_a_session_that_lost_its_statements_is_named_and_not_used_again(dsn: str) -> None:
    """As it is where a pooler of sessions becomes one of transactions under us."""
    async with opened(dsn, 1) as database:
        (before,) = await processes(database, 1)
        await database.suspect("S:1")
        async with database.connection() as lent:
            await lent.execute("deallocate all")
        with pytest.raises(StoreUnavailable, match="pool_mode = session"):
            await database.suspect("S:1")
        assert await processes(database, 1) != {before}


async def test_the_doctor_shows_the_time_outs_and_refuses_a_pooler_of_transactions(
    dsn: str,
) -> None:
    session = found(await store.examine(dsn, 4.0), "postgres.sessions")
    assert session.verdict == "ok"
    assert "statement_timeout 10000" in session.found
    async with pooler(dsn, "transaction") as between:
        refused = found(await store.examine(between.address, 4.0), "postgres.server")
    assert refused.verdict == "fault"
    assert "pool_mode = session" in refused.found


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_in_another_encoding_is_refused(servers: Servers, encoding: str) -> None:
    name = f"t_{uuid4().hex}"
    await on_server(
        servers.postgres_dsn,
        f"create database {name} encoding '{encoding}' template template0 locale 'C' "
        "locale_provider libc",
    )
    there = database(servers.postgres_dsn, name)
    for refused in (migrate(there), store.Store.connect(there, 4)):
        with pytest.raises(ServerUnfit, match=f"encoding of the database is {encoding}"):
            await refused
    await on_server(servers.postgres_dsn, f"drop database {name}")


async def test_a_session_that_has_become_read_only_is_closed_with_all_of_its_age(dsn: str) -> None:
    async with opened(dsn) as database:
        before, reader = await processes(database, 2), await processes(database.apart("index"), 1)
        async with database.connection() as lent:
            await lent.execute(READ_ONLY)
        with pytest.raises(StoreUnavailable, match="takes no writes"):
            await database.forget_all()  # the one that was given back last is lent first
        assert not before & await processes(database, 2)
        assert await processes(database.apart("index"), 1) != reader, "who only reads, too"


async def test_a_server_that_takes_no_writes_is_not_taken_at_start(dsn: str) -> None:
    name = dsn.partition("?")[0].rpartition("/")[2]
    await on_server(dsn, f"alter database {name} set {READING} = on")
    with pytest.raises(StoreUnavailable, match="default_transaction_read_only is on"):
        await store.Store.connect(dsn, 4)


async def test_the_host_that_takes_writes_is_found_behind_one_that_has_ceased_to(
    tmp_path: Path, dsn: str
) -> None:
    """Each host is a server; the first becomes read-only, the second was, until it is promoted."""
    async with (
        embedded.postgres(tmp_path, ephemeral=True) as second,
        pooler(dsn, "session") as one,
        pooler(second.address, "session") as two,
    ):
        name = dsn.partition("?")[0].rpartition("/")[2]
        await on_server(second.address, f"create database {name}")
        two.dsn = database(second.address, name)
        await migrate(two.dsn)
        await on_server(two.dsn, f"alter database {name} set {READING} = on")
        both = one.address.replace(f":{one.port}", f":{one.port},127.0.0.1:{two.port}")
        async with opened(both) as lent:
            await lent.ping()
            assert two.dialled == 0
            await on_server(dsn, f"alter database {name} set {READING} = on")
            await on_server(second.address, f"alter database {name} set {READING} = off")
            async with lent.connection() as connection:
                await connection.execute(READ_ONLY)  # as if the server had been reloaded
            with pytest.raises(StoreUnavailable, match="takes no writes"):
                await lent.forget_all()
            await lent.forget_all()
            assert two.dialled > 0


async def test_a_host_that_is_silent_does_not_keep_us_from_the_next(dsn: str) -> None:
    async with pooler(dsn, "silent") as dead, pooler(dsn, "session") as alive:
        both = alive.address.replace("@", f"@127.0.0.1:{dead.port},")
        session = await sessions.dial(both, timeout=2.0 * LIMIT_SECONDS / 240)
        await session.close()
        assert dead.dialled > 0


def test_a_dsn_is_taken_apart_by_its_hosts_only() -> None:
    assert sessions.one_host_each("postgresql://u:a,b@h/d?x=1,2") == [
        "postgresql://u:a,b@h/d?x=1,2"
    ]
    assert sessions.one_host_each("postgresql://u@a:1,b:2/d") == [
        "postgresql://u@a:1/d?target_session_attrs=read-write",
        "postgresql://u@b:2/d?target_session_attrs=read-write",
    ]
    assert sessions.one_host_each("postgres://a,b/d?target_session_attrs=primary") == [
        "postgres://a/d?target_session_attrs=primary",
        "postgres://b/d?target_session_attrs=primary",
    ]


def test_hosts_that_a_dsn_names_in_its_query_are_taken_apart_too() -> None:
    """As sockets are: there is no other place for them."""
    assert sessions.one_host_each("postgresql://u@/d?host=%2Fa,/b&port=1,2&sslmode=disable") == [
        "postgresql://u@/d?host=%2Fa&port=1&sslmode=disable&target_session_attrs=read-write",
        "postgresql://u@/d?host=%2Fb&port=2&sslmode=disable&target_session_attrs=read-write",
    ]
    assert sessions.one_host_each("postgres:///d?target_session_attrs=any&host=a,b:7") == [
        "postgres:///d?target_session_attrs=any&host=a",
        "postgres:///d?target_session_attrs=any&host=b%3A7",
    ]
    assert sessions.one_host_each("postgresql://?port=5&host=a,b") == [
        "postgresql://?port=5&host=a&target_session_attrs=read-write",
        "postgresql://?port=5&host=b&target_session_attrs=read-write",
    ]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u@/d?host=/a&port=1",
        "postgresql://u@h/d?host=a,b",  # the host before the path is the one that counts
        "postgresql://u@/d?host=a,b,c&port=1,2",  # the driver says that it cannot be read
    ],
)
def test_a_dsn_of_one_host_stays_as_it_is(dsn: str) -> None:
    assert sessions.one_host_each(dsn) == [dsn]
