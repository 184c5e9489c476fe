"""How much room what waits look back on takes: all that is stored counts, and is known at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.waits import LAST, Awaited, Looking, topic
from lockstep.store import AutomationStore, Batches, RecentEvents
from lockstep.store.queries import query
from lockstep_schemas.events import Actor
from store.test_runs import read
from store_fixture import StoreFixture, store_fixture

LARGE: Final = "ü" * 200_000  # two bytes each
SAID: Final[list[dict[str, Any]]] = [
    {"body": f'"{LARGE}"'.encode()}, {"actor": Actor(id="u", name=LARGE)}, {"context_key": LARGE},
    {"message_id": LARGE}, {"delivery": LARGE},
]  # fmt: skip
"""Where a publisher may say much."""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


async def kept(laboratory: StoreFixture, number: int, **said: Any) -> list[Event]:
    """Have events handled on which some wait looks back."""
    plain = [laboratory.event("a", {"n": n}) for n in range(number)]
    events = [msgspec.structs.replace(one, **said) for one in plain]
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.keep_recent(events, events[0].time)
    return events


async def looked_back_on(laboratory: StoreFixture) -> None:
    """Have an automation that looks back on them."""
    automations = AutomationStore(laboratory.database)
    await automations.insert_many([("x", "x", {"name": "n"})])
    async with automations.change() as change:
        await change.look_back("x", 1, ["a"])


async def sequences(laboratory: StoreFixture) -> list[int]:
    """Which events are kept."""
    rows = await laboratory.rows("select sequence from recent_events order by sequence")
    return [row["sequence"] for row in rows]


@pytest.mark.parametrize("said", SAID, ids=lambda one: next(iter(one)))
async def test_all_that_a_publisher_has_said_counts(
    laboratory: StoreFixture, said: dict[str, Any]
) -> None:
    events = await kept(laboratory, 8, **said)
    numbers = [one.sequence for one in events]
    assert {row["size"] for row in await laboratory.rows("select size from recent_events")} == {
        events[0].size
    }
    assert events[0].size > 400_000
    assert not await RecentEvents(laboratory.database, 1_700_000).drop(100)
    assert await sequences(laboratory) == numbers[4:]


@pytest.mark.parametrize("said", SAID, ids=lambda one: next(iter(one)))
async def test_a_page_of_events_has_a_megabyte_of_all_that_is_read(
    laboratory: StoreFixture, said: dict[str, Any]
) -> None:
    events = await kept(laboratory, 8, **said)
    key = events[0].context_key
    wait = Awaited(
        place=0, id=uuid4(), run_id=uuid4(), filter=None, run_scope=None, path="actions[0]",
        warning=None, automation_id="x",
    )  # fmt: skip
    began = (events[0].time, events[0].sequence)
    look = Looking(wait, topic("a", key), "a", key, began, None, 0.0, None, is_kept=True)
    batches = Batches(laboratory.database, uuid7())
    page = await batches.recent(look, ((events[0].time, 0), LAST))
    assert [event.sequence for _, event in page] == [one.sequence for one in events[:2]]


FILL: Final = """
    insert into recent_events (topic, event_id, context_key, time, sequence, delivery, actor, hop,
        body, handled_at)
    select decode(md5((n % 500)::text), 'hex'), 'a', (n % 500)::text,
           now() - interval '1 hour' + n * interval '1 ms', n, 'S:' || n, '{}', 0, '{}', now()
      from generate_series(1, $1::int) as n
"""
SIZED: Final = "insert into recent_sizes (bytes) select sum(size) from recent_events"


async def size(laboratory: StoreFixture) -> int:
    """How many bytes are kept, by the rows."""
    rows = await laboratory.rows("select coalesce(sum(size), 0) as bytes from recent_events")
    return int(rows[0]["bytes"])


async def counted(laboratory: StoreFixture) -> int:
    """How many bytes are kept, as they were counted."""
    rows = await laboratory.rows("select coalesce(sum(bytes), 0) as bytes from recent_sizes")
    return int(rows[0]["bytes"])


async def read_by_drop(laboratory: StoreFixture, most: int, limit: int) -> float:
    """How many rows are looked at to drop what is beyond a number of bytes."""
    async with laboratory.database.pool.acquire() as connection:
        await connection.execute("set plan_cache_mode = force_generic_plan")
        sql, *values = query("recent/drop", most_bytes=most, limit=limit)
        plan = await connection.fetchval(f"explain (analyze, format json) {sql}", *values)
    return read(json.loads(plan)[0]["Plan"])


@pytest.mark.parametrize("rows", [20_000, 60_000])
async def test_dropping_reads_what_is_dropped_however_much_is_kept(
    laboratory: StoreFixture, rows: int
) -> None:
    await laboratory.rows(FILL, rows)
    await laboratory.rows(SIZED)
    await laboratory.rows("analyze recent_events")
    total = await size(laboratory)
    assert await read_by_drop(laboratory, total, 1000) < 10
    assert await size(laboratory) == total
    assert await read_by_drop(laboratory, total // 2, 1000) < 10_000
    (left,) = await laboratory.rows("select count(*), min(sequence) from recent_events")
    assert (left["count"], left["min"]) == (rows - 1000, 1001)
    assert await size(laboratory) == await counted(laboratory)


async def test_no_more_is_dropped_than_has_no_room(laboratory: StoreFixture) -> None:
    events = await kept(laboratory, 9)
    store = RecentEvents(laboratory.database, 4 * events[0].size)
    while await store.drop(3):
        pass
    assert await sequences(laboratory) == [one.sequence for one in events[5:]]
    assert not await store.drop(3)
    assert await sequences(laboratory) == [one.sequence for one in events[5:]]
    more = await kept(laboratory, 2)
    assert await store.drop(3)
    assert await sequences(laboratory) == [events[8].sequence, *(one.sequence for one in more)]


async def test_replicas_that_drop_at_the_same_time_drop_no_more_than_one_does(
    laboratory: StoreFixture,
) -> None:
    for _ in range(40):
        await kept(laboratory, 5, delivery="S")
    most = await size(laboratory) // 2

    async def drop() -> None:
        store = RecentEvents(laboratory.database, most)
        for _ in range(60):
            await store.drop(3)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(drop())
    assert len(await sequences(laboratory)) == 100
    assert await size(laboratory) == await counted(laboratory)


async def test_what_is_forgotten_makes_room(laboratory: StoreFixture) -> None:
    events = await kept(laboratory, 6)
    await looked_back_on(laboratory)
    store = RecentEvents(laboratory.database, 3 * events[0].size)
    old = "update recent_events set time = time - interval '9 days' where sequence <= $1"
    await laboratory.rows(old, events[2].sequence)
    await store.forget(events[0].time, 100)
    assert not await store.drop(100)
    assert await sequences(laboratory) == [one.sequence for one in events[3:]]
