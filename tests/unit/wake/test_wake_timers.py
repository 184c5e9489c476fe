"""Timers: what is due fires at its moment, however it became known, and whatever is away."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.model.waits import Due
from lockstep.wake import Timers, TimerService
from lockstep.wake.timers import BATCH, LOOK, MOST, NEAR, OVERDUE, RETRY_SECONDS
from unit.fakes import Away
from unit.moved import Background, Clock, moved, turns
from unit.values import later, uid

LATE = OVERDUE.total_seconds()
FAR = NEAR.total_seconds()


class Scene:
    """Waits in the store, in a dictionary, and an engine that fires them."""

    def __init__(self, late_per_second: float = 1000.0) -> None:
        self.away, self.refuses = Away(), Away()
        self.unfit: set[UUID] = set()  # which nobody can fire
        self.holds_up = asyncio.Event()
        self.holds_up.set()
        self.armed: dict[UUID, Due] = {}
        self.fired: list[tuple[int, float]] = []  # wait and second
        self.batches: list[int] = []
        self.looks: list[float] = []
        self.most_found = 0
        self.timers = Timers(Clock())
        self.held: set[UUID] = set()
        self.service = TimerService(
            self.timers, self, Clock(), self._fire, late_per_second, self.held
        )

    async def near(self, since: datetime, until: datetime, limit: int) -> Sequence[Due]:
        """See `wake.timers.DueRows`."""
        assert limit == MOST
        self.looks.append(asyncio.get_running_loop().time())
        self.away.check()
        return [one for one in self._sorted() if since < one.due_at <= until]

    async def next_due(self, after: datetime) -> datetime | None:
        """See `wake.timers.DueRows`."""
        return min((one.due_at for one in self._sorted() if one.due_at > after), default=None)

    async def overdue(self, until: datetime, limit: int, after: Due | None) -> Sequence[Due]:
        """See `wake.timers.DueRows`."""
        place = (after.due_at, after.id) if after is not None else None
        late = [one for one in self._sorted() if one.due_at < until]
        return [one for one in late if place is None or (one.due_at, one.id) > place][:limit]

    async def _fire(self, due: Sequence[Due]) -> None:
        await self.holds_up.wait()
        self.refuses.check()
        if self.unfit & {one.id for one in due}:
            raise LookupError("a zone that this host lacks")
        self.batches.append(len(due))
        for one in due:
            if self.armed.pop(one.id, None) is not None:
                self.fired.append((one.id.int, asyncio.get_running_loop().time()))

    def _sorted(self) -> list[Due]:
        return sorted(self.armed.values(), key=lambda one: one.due_at)

    def store(self, number: int, seconds: float) -> Due:
        """Have the n-th wait armed, so many seconds from the beginning."""
        one = Due(uid(number), "delay", later(seconds))
        self.armed[one.id] = one
        return one

    def arm(self, number: int, seconds: float) -> None:
        """Have this worker arm a wait."""
        self.timers.arm([self.store(number, seconds)])

    def fires(self) -> list[tuple[int, float]]:
        """What was fired, and when, to the millisecond."""
        return [(number, round(second, 3)) for number, second in self.fired]


@pytest.mark.parametrize("seconds", [0.001, 3, FAR, FAR + 0.001, 61, 3600])
@moved
async def test_a_wait_fires_at_its_moment_near_or_far(seconds: float) -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        await turns()
        scene.arm(1, seconds)
        await asyncio.sleep(seconds + 1)
    ((number, second),) = scene.fires()
    assert number == 1
    assert second == pytest.approx(seconds, abs=0.001)


@moved
async def test_waits_fire_in_the_order_of_their_times_whatever_order_they_came_in() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        for number, seconds in ((1, 20), (2, 40), (3, 10), (4, 50), (5, 0.5)):
            scene.arm(number, seconds)
            await turns()
        await asyncio.sleep(60)
    assert scene.fires() == [(5, 0.5), (3, 10), (1, 20), (2, 40), (4, 50)]


@moved
async def test_what_was_stored_before_the_start_or_by_others_is_found_in_time() -> None:
    scene = Scene()
    scene.store(1, -1)
    scene.store(2, 5)
    scene.store(3, FAR + 5)
    async with Background(scene.service.run()):
        await asyncio.sleep(1)
        scene.store(4, 15)  # by another worker, which says nothing
        await asyncio.sleep(100)
    assert scene.fires() == [(1, 0), (2, 5), (4, 15), (3, 35)]


@moved
async def test_what_is_far_has_no_timer_of_its_own_until_it_is_near() -> None:
    """Millions may sleep; those that an event ends meanwhile are never looked at again."""
    scene = Scene()
    async with Background(scene.service.run()):
        scene.arm(1, FAR + 50)
        await asyncio.sleep(20)
        scene.armed.clear()
        await asyncio.sleep(100)
    assert scene.batches == []


@moved
async def test_a_wait_that_is_armed_and_found_fires_once() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        scene.arm(1, 20)
        scene.arm(1, 20)
        scene.timers.arm([scene.armed[uid(1)]])
        await asyncio.sleep(60)
    assert scene.batches == [1]


@moved
async def test_what_is_due_at_once_is_fired_in_batches_of_a_bounded_size() -> None:
    scene = Scene()
    scene.timers.arm([scene.store(number, 1) for number in range(BATCH + 3)])
    async with Background(scene.service.run()):
        await asyncio.sleep(2)
    assert scene.batches == [BATCH, 3]


@moved
async def test_while_the_store_is_away_what_is_due_is_kept_and_fired_soon_after() -> None:
    scene = Scene()
    scene.refuses.times = 2
    async with Background(scene.service.run()):
        scene.arm(1, 1)
        await asyncio.sleep(20)
    assert scene.fires() == [(1, 1 + 2 * RETRY_SECONDS)]


@moved
async def test_a_look_that_fails_is_made_again() -> None:
    scene = Scene()
    scene.away.times = 3
    scene.store(1, 5)
    async with Background(scene.service.run()):
        await asyncio.sleep(20)
    assert scene.fires() == [(1, 5)]


@moved
async def test_what_is_very_late_is_left_to_the_sweep() -> None:
    """A store that was away for long must not be met by all of it at once."""
    scene = Scene()
    scene.refuses.times = 100
    async with Background(scene.service.run()):
        scene.arm(1, 1)
        await asyncio.sleep(1 + LATE + 1)
        scene.refuses.times = 0
        await asyncio.sleep(60)
        assert scene.fires() == []
        await scene.service.sweep()
    assert [number for number, _ in scene.fires()] == [1]


@moved
async def test_the_store_is_looked_at_every_so_often_and_not_more() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        await asyncio.sleep(60)
    assert [round(second) for second in scene.looks] == [0, 10, 20, 30, 40, 50]
    assert timedelta(seconds=10) == LOOK


@moved
async def test_waits_that_come_near_one_after_the_other_are_looked_for_together() -> None:
    scene = Scene()
    for number in range(60):
        scene.store(number, FAR + 1 + number)
    async with Background(scene.service.run()):
        await asyncio.sleep(60)
    assert len(scene.looks) == 6
    assert scene.fires() == [(number, FAR + 1 + number) for number in range(29)]


@moved
async def test_a_wait_that_is_far_is_found_by_a_worker_that_never_rests() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        await turns()
        scene.arm(1, 70)
        for number in range(2, 40):
            scene.arm(number, 2 * number)
            await asyncio.sleep(2)
    assert (1, 70) in scene.fires()


@moved
async def test_a_worker_that_takes_the_share_of_another_looks_at_once() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        await asyncio.sleep(3)
        scene.store(1, 4)
        scene.timers.look()
        await asyncio.sleep(3)
    assert scene.fires() == [(1, 4)]


@moved
async def test_forgotten_timers_fire_no_more() -> None:
    scene = Scene()
    async with Background(scene.service.run()):
        scene.arm(1, 5)
        await turns()
        scene.timers.forget()
        scene.armed.clear()
        await asyncio.sleep(9)
        assert scene.batches == []
        scene.arm(1, 10)  # the same id again, of the next case
        await asyncio.sleep(9)
    assert scene.fires() == [(1, 10)]


@moved
async def test_a_sweep_fires_what_is_overdue_in_batches_at_a_bounded_rate() -> None:
    scene = Scene(late_per_second=BATCH / 10)
    for number in range(2 * BATCH + 5):
        scene.store(number, -LATE - 1)
    scene.store(9999, 60)
    with capture_logs() as logs:
        await scene.service.sweep()
    assert scene.batches == [BATCH, BATCH, 5]
    assert sorted({second for _, second in scene.fired}) == [0, 10, 20]
    assert [*scene.armed] == [uid(9999)]
    assert [line["waits"] for line in logs] == [BATCH, BATCH, 5]


@moved
async def test_what_is_held_up_takes_no_time_of_what_a_sweep_finds_behind_it() -> None:
    scene = Scene(late_per_second=BATCH / 10)
    for number in range(4 * BATCH):
        scene.store(number, -LATE - 2)
    scene.held.update(uid(number) for number in range(4 * BATCH) if number != 7)
    scene.store(9999, -LATE - 1)
    with capture_logs() as logs:
        await scene.service.sweep()
    assert [number for number, _ in scene.fired] == [7, 9999]
    assert scene.fired[1][1] < 1
    assert [line["waits"] for line in logs] == [1, 1]
    scene.held.clear()
    await scene.service.sweep()
    assert scene.armed == {}


@moved
async def test_a_sweep_leaves_what_has_been_due_for_a_moment() -> None:
    """Its timer, or the alarm of the bus, is on its way."""
    scene = Scene()
    scene.store(1, -LATE + 0.1)
    await scene.service.sweep()
    assert scene.batches == []


@moved
async def test_it_is_behind_until_it_has_swept_and_while_something_is_due() -> None:
    scene = Scene()
    now = Clock().now
    assert scene.timers.is_behind(now())
    async with Background(scene.service.run()):
        await turns()
        assert scene.timers.is_behind(now())  # nobody knows yet what is overdue
        await scene.service.sweep()
        assert not scene.timers.is_behind(now())
        scene.arm(1, 5)
        await turns()
        assert not scene.timers.is_behind(later(4))
        assert scene.timers.is_behind(later(5))
        await asyncio.sleep(6)
        assert not scene.timers.is_behind(now())


@moved
async def test_a_timer_that_cannot_be_fired_holds_up_no_other() -> None:
    scene = Scene()
    scene.unfit = {uid(2), uid(5)}
    with capture_logs() as logs:
        async with Background(scene.service.run()):
            await turns()
            for number in range(1, 8):
                scene.arm(number, 3)
            await asyncio.sleep(4)
    assert sorted(number for number, _ in scene.fired) == [1, 3, 4, 6, 7]
    assert [(line["event"], line["kind"]) for line in logs] == [("due.refused", "delay")] * 2


@moved
async def test_the_sweep_fires_what_lies_beside_what_cannot_be_fired() -> None:
    scene = Scene()
    scene.unfit = {uid(1)}
    for number in range(1, 4):
        scene.store(number, -LATE - 1)
    with capture_logs() as logs:
        await scene.service.sweep()
    assert sorted(number for number, _ in scene.fired) == [2, 3]
    assert [line["event"] for line in logs] == ["waits.overdue", "due.refused"]


@moved
async def test_what_is_due_when_the_loop_is_cut_off_is_fired_by_the_next() -> None:
    scene = Scene()
    scene.holds_up.clear()
    async with Background(scene.service.run()):
        await turns()
        scene.arm(1, 1)
        await asyncio.sleep(2)
    scene.holds_up.set()
    async with Background(scene.service.run()):
        await turns()
    assert scene.fires() == [(1, 2)]
