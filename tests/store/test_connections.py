"""Connections: whoever holds one asks for no other, and what must answer has one of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from lockstep.store import AutomationStore, RunStore, Store, WorkerStore
from patience import patience
from unit.values import uid

SIZE = 4


@pytest_asyncio.fixture
async def database(dsn: str) -> AsyncIterator[Store]:
    """A store with few connections."""
    opened = await Store.connect(dsn, SIZE)
    yield opened
    await opened.close()


async def test_who_holds_a_connection_and_asks_for_another_is_told_so(database: Store) -> None:
    async with database.connection():
        with pytest.raises(RuntimeError, match="asks it for no other"):
            await RunStore(database, uid(1)).owned()
    async with database.transaction():
        with pytest.raises(RuntimeError):
            async with database.connection():
                pass
    await RunStore(database, uid(1)).owned()


async def test_tasks_side_by_side_hold_one_each(database: Store) -> None:
    met = asyncio.Barrier(SIZE)

    async def hold() -> None:
        async with database.connection():
            await met.wait()

    async with patience(), asyncio.TaskGroup() as group:
        for _ in range(SIZE):
            group.create_task(hold())


PROMPT: dict[str, Callable[[Store], Awaitable[object]]] = {
    "heartbeat": lambda database: WorkerStore(database, uid(1)).heartbeat("host", "1"),
    "index": lambda database: AutomationStore(database.apart("index")).heads(),
    "ping": Store.ping,
}


@pytest.mark.parametrize("ask", PROMPT.values(), ids=PROMPT)
async def test_what_must_answer_does_so_while_all_connections_are_held(
    database: Store, ask: Callable[[Store], Awaitable[object]]
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(SIZE):
            await stack.enter_async_context(database.pool.acquire())
        async with patience():
            await ask(database)  # an acquisition of the pool would be given up


async def test_a_task_that_holds_a_connection_may_wait_for_the_index(database: Store) -> None:
    async with database.transaction():
        await AutomationStore(database.apart("index")).heads()


async def test_a_store_that_is_closed_holds_no_connection(database: Store) -> None:
    await asyncio.gather(*(ask(database) for ask in PROMPT.values()))
    assert not database.is_busy
    async with database.apart("health").connection():
        assert database.is_busy
