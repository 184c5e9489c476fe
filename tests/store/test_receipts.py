"""Receipts are kept as long as their event could come again; then they go, however many."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from lockstep import store
from lockstep.model.messages import StreamBegin
from lockstep.store.queries import QUERIES
from store.test_runs import read
from store_fixture import StoreFixture, store_fixture

NOW = datetime.now(UTC)
HOURS = 24.0
FILL = """
    insert into receipts (delivery, event_id, stream, sequence, received_at)
    select coalesce($1, 'child') || ':' || n, 'e', $1, case when $1 is not null then n end,
           now() - $4::interval + n * interval '1 microsecond'
      from generate_series($2::int, $3::int) as n
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


async def fill(
    laboratory: StoreFixture, first: int, last: int, *, hours: float, stream: str | None = "S"
) -> None:
    """Insert receipts of the events of a stream, or of none, that are so old."""
    await laboratory.rows(FILL, stream, first, last, timedelta(hours=hours))


def begins(sequence: int, *, created_hours: float = 1000.0) -> StreamBegin:
    """A stream that has passed all events before one."""
    return StreamBegin("S", sequence, NOW - timedelta(hours=created_hours), None)


async def number(laboratory: StoreFixture) -> int:
    """How many there are."""
    ((found,),) = await laboratory.rows("select count(*) from receipts")
    return int(found)


async def forget(receipts: store.Receipts, begin: StreamBegin, limit: int = 100) -> int:
    """Forget page after page; give how many pages there were."""
    pages = 1
    while await receipts.forget(HOURS, begin, limit):
        pages += 1
    return pages


async def test_a_receipt_goes_when_it_is_old_and_the_stream_has_passed_its_event(
    laboratory: StoreFixture,
) -> None:
    await fill(laboratory, 1, 500, hours=30)
    await fill(laboratory, 501, 600, hours=23)
    receipts = store.Receipts(laboratory.database)
    await forget(receipts, begins(201))
    assert await number(laboratory) == 400, "events from 201 on could come again"
    await forget(receipts, begins(601))
    assert await number(laboratory) == 100, "message ids are known for 24 hours"


async def test_what_cannot_go_is_not_looked_at_again_until_the_stream_goes_on(
    laboratory: StoreFixture,
) -> None:
    await fill(laboratory, 1, 1000, hours=30)
    receipts = store.Receipts(laboratory.database)
    assert await forget(receipts, begins(1)) == 11
    assert await forget(receipts, begins(1)) == 1
    await fill(laboratory, 1001, 1100, hours=25)
    assert await forget(receipts, begins(1)) == 2
    await forget(receipts, begins(1101))
    assert await number(laboratory) == 0


async def test_what_is_no_event_of_the_stream_goes_by_age(laboratory: StoreFixture) -> None:
    """Children, schedules and set-ups; and what another prefix, or an older version, has left."""
    await fill(laboratory, 1, 50, hours=30, stream=None)
    await fill(laboratory, 51, 80, hours=23, stream=None)
    await fill(laboratory, 1, 20, hours=30, stream="OTHER")
    await forget(store.Receipts(laboratory.database), begins(1))
    assert await number(laboratory) == 30


async def test_receipts_of_a_stream_that_was_made_anew_go_by_age(laboratory: StoreFixture) -> None:
    await fill(laboratory, 1000, 1099, hours=50)
    await fill(laboratory, 5, 14, hours=30)
    await forget(store.Receipts(laboratory.database), begins(5, created_hours=40))
    assert await number(laboratory) == 10


async def test_replicas_that_forget_at_once_do_not_wait_for_each_other(
    laboratory: StoreFixture,
) -> None:
    await fill(laboratory, 1, 100, hours=30)
    first, second = store.Receipts(laboratory.database), store.Receipts(laboratory.database)
    async with laboratory.database.pool.acquire() as held, held.transaction():
        await held.fetch("select from receipts where sequence <= 40 for update")
        await forget(first, begins(101))
        assert await number(laboratory) == 40
    await forget(second, begins(101))
    assert await number(laboratory) == 0


async def test_a_page_reads_no_more_than_its_rows(laboratory: StoreFixture) -> None:
    await fill(laboratory, 1, 60_000, hours=30)
    async with laboratory.database.pool.acquire() as connection:
        await connection.execute("set statement_timeout = 0")
        await connection.execute("vacuum analyze receipts")
        await connection.execute("set plan_cache_mode = force_generic_plan")
        explain = f"explain (analyze, format json) {QUERIES['receipts/forget'].text}"
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        arguments: list[Any] = [HOURS, epoch, "S", 40_000, NOW - timedelta(days=90), 5000]
        plan = json.loads(await connection.fetchval(explain, *arguments))[0]["Plan"]
    assert read(plan) <= 4 * 5000, json.dumps(plan, indent=1)


async def test_the_receipt_of_an_event_knows_where_it_stands(laboratory: StoreFixture) -> None:
    event = laboratory.event("e", {})
    async with store.Batches(laboratory.database, uuid4()).transaction() as tx:
        await tx.take_receipts([event])
    ((stream, sequence),) = await laboratory.rows("select stream, sequence from receipts")
    assert (stream, sequence) == ("S", event.sequence)


@pytest.mark.parametrize("rows", [100, 12_000])
async def test_decisions_beyond_those_that_are_kept_go_page_by_page(
    laboratory: StoreFixture, rows: int
) -> None:
    await laboratory.rows(
        """insert into judgements (delivery, event_id, automation_id, trigger_id, gate, detail,
           judged_at) select 'd' || n, 'e', 'a', 't', 'filter', 'x', now()
           from generate_series(1, $1::int) as n""",
        rows,
    )
    decisions, pages = store.DecisionStore(laboratory.database), 1
    while await decisions.forget(1000, 5000):
        pages += 1
    ((left,),) = await laboratory.rows("select count(*) from judgements")
    assert (left, pages) == (min(rows, 1000), 3 if rows > 5000 else 1)
