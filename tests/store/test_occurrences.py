"""What windows have counted goes when no event can ask for it any more, nor one that is parked."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from lockstep.model.decisions import Counter, Occurrences
from lockstep.model.ids import uuid7
from lockstep.store import AutomationStore, Batches, DecisionStore
from store_fixture import StoreFixture, store_fixture

PARKED = """
    insert into parked_events (id, delivery, automation_id, event_id, subject, headers, body,
        parked_reason, parked_version, parked_tried, time)
    values (gen_random_uuid(), 'd', $1, 'go', 's', '[]', '{}', 'r', 'v', '{}', $2)
"""
SPAN = timedelta(minutes=5)


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


@pytest.mark.parametrize(
    ("automation_id", "after", "is_kept"),
    [("a", -1, True), ("a", 4, True), ("a", None, True), ("a", 5, False), ("b", 4, False)],
    ids=["before it", "within its span", "nobody knows when", "behind it", "of another"],
)
async def test_a_counter_stays_as_long_as_a_parked_event_may_be_counted_with_it(
    laboratory: StoreFixture, automation_id: str, after: int | None, *, is_kept: bool
) -> None:
    now = laboratory.clock.now()
    last = now - timedelta(days=3)
    await AutomationStore(laboratory.database).insert_many([("a", "a", {}), ("b", "b", {})])
    counter = Counter("a", "t", b"k")
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.keep_occurrences([Occurrences(counter, [last], last + SPAN)])
    time = None if after is None else last + timedelta(minutes=after)
    await laboratory.rows(PARKED, automation_id, time)
    decisions = DecisionStore(laboratory.database)
    await decisions.forget_occurrences(now, 10)
    kept = await laboratory.rows("select from occurrences")
    assert bool(kept) == is_kept
    await laboratory.rows("delete from parked_events")
    await decisions.forget_occurrences(now, 10)
    assert await laboratory.rows("select from occurrences") == []
