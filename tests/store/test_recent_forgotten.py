"""What waits look back on is kept as long as one may ask for it; what is gone is told."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import pytest
import pytest_asyncio

from lockstep.model.ids import uuid7
from lockstep.store import Batches, RecentEvents
from store.test_recent import Scene
from store_fixture import StoreFixture, store_fixture

HOUR: Final = timedelta(hours=1)
LONG_AGO: Final = timedelta(days=30)

ENDED: Final = "update runs set status = 'failed', owner = null, finished_at = now()"
HELD: Final = """
    insert into timers (id, kind, automation_id, trigger_id, topic, event, due_at, armed_at,
        event_time, event_sequence)
    values (gen_random_uuid(), 'hold', 'lab', 't', '', '{}', now(), now(), $1, 1)
"""
HELD_BEHIND: Final = """
    insert into hold_events (automation_id, trigger_id, topic, time, sequence)
    values ('lab', 't', '', $1, 1)
"""
PARKED: Final = """
    insert into parked_events (id, delivery, automation_id, event_id, subject, headers, body,
        parked_reason, parked_version, parked_tried, time)
    values (gen_random_uuid(), 'd', 'lab', 'go', 's', '[]', '{}', 'r', 'v', '{}', $1)
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


class Past:
    """A run of long ago that looks back on two events: one of before it, and a later one."""

    def __init__(self, laboratory: StoreFixture) -> None:
        self.laboratory, self.scene = laboratory, Scene(laboratory, 0)
        self.now = laboratory.clock.now()
        self.began = self.now - LONG_AGO

    async def fill(self) -> None:
        """Have them there, as they are kept."""
        await self.scene.fill()
        await self.scene.play(self.scene.handle(1, self.scene.events))
        moved = "update recent_events set time = $2 where sequence = $1"
        for event, at in zip(self.scene.events, (-HOUR / 2, 9 * 24 * HOUR), strict=True):
            await self.laboratory.rows(moved, event.sequence, self.began + at)
        await self.laboratory.rows("update runs set trigger_time = $1", self.began)
        await self.looks(HOUR)

    async def looks(self, back: timedelta) -> None:
        """Let the wait look back so far; no time at all: on what came after its run began."""
        seconds = "update waits set look_back = $1"
        await self.laboratory.rows(seconds, back.total_seconds())

    async def forget(self, oldest: datetime | None = None, limit: int = 10) -> list[int]:
        """Forget what may go; give which of the two are left."""
        store = RecentEvents(self.laboratory.database, 1 << 20)
        for _ in range(4):
            await store.forget(oldest or self.now, limit)
        left = await self.laboratory.rows("select sequence from recent_events order by 1")
        numbers = [one.sequence for one in self.scene.events]
        return [numbers.index(row["sequence"]) for row in left]

    async def outcome(self) -> tuple[str, str | None, bytes | None]:
        """What becomes of the wait when it looks back."""
        await self.scene.play(self.scene.look(3))
        (found,) = await self.scene.outcome()
        return found


@pytest_asyncio.fixture
async def past(laboratory: StoreFixture) -> Past:
    """They are there."""
    made = Past(laboratory)
    await made.fill()
    return made


@pytest.mark.parametrize("limit", [1, 10])
async def test_a_run_finds_what_is_so_long_before_its_event_however_late_it_asks(
    past: Past, limit: int
) -> None:
    assert await past.forget(limit=limit) == [0, 1]
    assert await past.outcome() == ("fired", "event", b'{"n": 1}')


async def test_what_came_after_the_event_of_a_run_counts_too(past: Past) -> None:
    await past.looks(HOUR / 4)
    assert await past.forget() == [0, 1]
    assert await past.outcome() == ("fired", "event", b'{"n": 2}')


async def test_what_came_after_the_run_began_is_looked_back_on_for_seven_days(past: Past) -> None:
    await past.looks(timedelta())
    assert await past.outcome() == ("armed", None, None)


@pytest.mark.parametrize("limit", [1, 10])
async def test_a_retry_for_which_events_are_forgotten_fails_and_says_so(
    past: Past, limit: int
) -> None:
    await past.laboratory.rows(ENDED)
    assert await past.forget(limit=limit) == []
    await past.laboratory.rows("update runs set status = 'waiting', finished_at = null")
    assert await past.outcome() == ("fired", "incomplete", None)


async def test_a_retry_is_not_failed_by_what_is_forgotten_of_another_key(past: Past) -> None:
    await past.laboratory.rows("update recent_events set topic = 'other', context_key = 'other'")
    await past.laboratory.rows(ENDED)
    assert await past.forget() == []
    await past.laboratory.rows("update runs set status = 'waiting', finished_at = null")
    assert await past.outcome() == ("armed", None, None)


@pytest.mark.parametrize("begins", [HELD, HELD_BEHIND, PARKED], ids=["hold", "behind", "parked"])
async def test_what_a_run_may_ask_for_that_is_yet_to_begin_is_kept(past: Past, begins: str) -> None:
    await past.laboratory.rows(ENDED)
    await past.laboratory.rows(begins, past.began)
    assert await past.forget() == [0, 1]
    await past.laboratory.rows("delete from timers")
    await past.laboratory.rows("delete from hold_events")
    await past.laboratory.rows("delete from parked_events")
    assert await past.forget() == []


async def test_what_an_event_may_ask_for_that_is_not_handled_yet_is_kept(past: Past) -> None:
    await past.laboratory.rows(ENDED)
    assert await past.forget(past.began) == [0, 1]
    assert await past.forget(past.began + timedelta(days=9)) == [1]


async def test_the_runs_of_other_automations_keep_nothing(past: Past) -> None:
    await past.laboratory.rows("update runs set automation_id = 'other'")
    assert await past.forget() == []


async def test_one_page_at_a_time_is_looked_at_and_all_in_turn(past: Past) -> None:
    await past.laboratory.rows(ENDED)
    async with Batches(past.laboratory.database, uuid7()).transaction() as tx:
        await tx.keep_recent([past.laboratory.event("b", {})], past.now)
    store = RecentEvents(past.laboratory.database, 1 << 20)
    assert [await store.forget(past.now, 2) for _ in range(2)] == [True, False]
    assert await past.laboratory.rows("select from recent_events") == []
