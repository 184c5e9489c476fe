"""A replica that is frozen in the middle of a statement: no time-out of the server acts there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio

from lockstep.store import Store
from patience import patience, until

BRIEF_MS = 200
LOCK = "insert into suspects (delivery, attempts) values ('one', 1)"
MUCH = "select repeat('x', 100000) from generate_series(1, 1000)"
STATE = "select state, wait_event_type from pg_stat_activity where pid = $1"


@pytest_asyncio.fixture
async def database(dsn: str) -> AsyncIterator[Store]:
    """The store of a replica that lives."""
    opened = await Store.connect(dsn, 2)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def frozen(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of a replica that is about to be frozen; it holds a lock."""
    opened = await asyncpg.connect(
        dsn,
        server_settings={
            "application_name": "lockstep",
            "statement_timeout": str(BRIEF_MS),
            "idle_in_transaction_session_timeout": str(BRIEF_MS),
        },
    )
    await opened.execute("begin")
    await opened.execute(LOCK)
    yield opened
    opened.terminate()


async def prepares(session: asyncpg.Connection) -> None:
    """Stop between the preparing of a statement and its execution."""
    await session.prepare("select 1 from suspects where delivery = $1")


async def reads_no_more(session: asyncpg.Connection) -> None:
    """Stop in the middle of a long answer."""
    session._transport.pause_reading()
    asyncio.ensure_future(session.fetch(MUCH)).add_done_callback(lambda done: done.exception())


@pytest.mark.parametrize("freezes", [prepares, reads_no_more])
async def test_what_it_has_locked_is_free_again(
    database: Store,
    frozen: asyncpg.Connection,
    freezes: Callable[[asyncpg.Connection], Awaitable[None]],
) -> None:
    pid = frozen.get_server_pid()
    await freezes(frozen)
    await asyncio.sleep(5 * BRIEF_MS / 1000)
    async with database.connection() as connection:
        row = await connection.fetchrow(STATE, pid)
    assert row is not None
    assert tuple(row) == ("active", "Client"), "a time-out of the server has acted"
    waiting = asyncio.create_task(database.suspect("one"))
    assert await database.end_frozen(3600.0) == 0, "it may be about to go on"
    async with patience():
        await until(lambda: ended(database))
        assert await waiting == 1


async def ended(database: Store) -> bool:
    """End what is frozen; say whether there was something."""
    return await database.end_frozen(0.0) > 0


async def test_a_statement_that_takes_long_is_none_of_them(database: Store) -> None:
    async def work() -> None:
        async with database.connection() as connection:
            await connection.execute("select pg_sleep(0.5)")

    working = asyncio.create_task(work())
    while not working.done():
        assert await database.end_frozen(0.1) == 0
        await asyncio.sleep(0.05)
    await working
