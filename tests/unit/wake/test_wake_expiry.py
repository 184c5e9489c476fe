"""Expiry: what an event may still change waits for that, what none can goes at once."""

import asyncio
import math
from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import BusUnavailable
from lockstep.ports.unhandled import HeldUp, Question
from lockstep.wake import Expiry, Steady
from lockstep.wake.expiry import ALIVE_SECONDS, BATCH, MOST, PATIENCE_SECONDS, REST, RETRY_SECONDS
from unit.fakes import Away
from unit.moved import Background, Clock, StreamClock, moved, turns
from unit.values import NOW, later, uid

LOOK, LONG = 0.05, 600.0


class Scene:
    """A stream and a store that hold things up, and somebody who lets them go."""

    def __init__(self) -> None:
        self.away, self.store_away = Away(BusUnavailable("may the user ask?")), Away()
        self.stuck: dict[UUID, int] = {}  # by which message
        self.parked: dict[UUID, HeldUp] = {}
        self.over: set[UUID] = set()  # it was cancelled, or is gone
        self.took = 0.0  # by a look
        self.looks: list[tuple[float, int]] = []
        self.gone: list[tuple[int, float]] = []
        self.batches: list[int] = []
        self.warned: list[tuple[UUID, str]] = []
        self.stream_clock = StreamClock()
        self.well_since = 0.0
        self.slept_seconds = 0.0
        self.expiry = Expiry(
            self, self, Clock(), self.stream_clock, LOOK, LONG,
            Steady(lambda: self.well_since, self.monotonic), self.monotonic,
        )  # fmt: skip

    def monotonic(self) -> float:
        """What the clock of the machine says, which goes on while the process sleeps."""
        return asyncio.get_running_loop().time() + self.slept_seconds

    async def held_up(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        self.looks.append((round(asyncio.get_running_loop().time(), 3), len(questions)))
        await asyncio.sleep(self.took)
        self.away.check()
        error, now = self.stream_clock.offset.error, Clock().now()
        early = {one.id: HeldUp(reason="early") for one in questions if one.until + error > now}
        return early | {
            one.id: HeldUp(reason="an event of `e` is not handled", events=1, sequence=sequence)
            for one in questions
            if one.id not in early and (sequence := self.stuck.get(one.id)) is not None
        }

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        return await self.held_up(questions)

    async def parked_for(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `wake.expiry.ExpiryRows`."""
        return {one.id: self.parked[one.id] for one in questions if one.id in self.parked}

    async def alive(self, ids: Sequence[UUID]) -> Set[UUID]:
        """See `wake.expiry.ExpiryRows`."""
        return {one for one in ids if one not in self.over}

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """See `wake.expiry.ExpiryRows`."""
        self.warned += reasons

    async def go(self, ids: Sequence[UUID]) -> None:
        """Let something expire."""
        self.store_away.check()
        self.batches.append(len(ids))
        now = round(asyncio.get_running_loop().time(), 3)
        self.gone += [(one.int, now) for one in ids]

    async def cleared(self, *questions: Question) -> set[int]:
        """Ask; give the numbers of those that may expire."""
        return {one.int for one in await self.expiry.cleared(questions, self.go)}


def due(number: int, seconds: float = -1.0) -> Question:
    """The n-th of what is to expire, so many seconds after NOW."""
    return Question(id=uid(number), event_id="e", until=later(seconds))


@moved
async def test_what_no_event_can_change_may_expire_at_once() -> None:
    scene = Scene()
    scene.stuck = {uid(2): 7}
    assert await scene.cleared(due(1), due(2)) == {1}
    assert scene.looks == [(0, 2)]
    assert await scene.cleared() == set()
    assert len(scene.looks) == 1, "nothing is asked where nothing is due"


@moved
async def test_what_is_held_up_goes_when_its_event_was_handled() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7, uid(2): 7, uid(3): 8}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1), due(2), due(3))
        assert scene.expiry.figures == (3, later(-1))
        await asyncio.sleep(1)
        assert scene.gone == []
        del scene.stuck[uid(1)], scene.stuck[uid(2)]
        await asyncio.sleep(LOOK)
        assert [number for number, _ in scene.gone] == [1, 2]
        assert scene.expiry.figures == (1, later(-1))
        assert scene.looks[-1][1] == 3, "all in one look"
        scene.stuck.clear()
        await asyncio.sleep(1)
        assert [number for number, _ in scene.gone] == [1, 2, 3]
        before = len(scene.looks)
        await asyncio.sleep(3600)
        assert len(scene.looks) == before, "nothing is asked where nothing is held up"


@moved
async def test_what_is_asked_again_meanwhile_is_asked_about_once() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    for _ in range(3):  # a timer, the sweep, an alarm
        assert await scene.cleared(due(1)) == set()
    assert scene.looks == [(0, 1)]
    await scene.cleared(due(1, -0.5))  # it was armed anew
    assert len(scene.looks) == 2
    scene.stuck.clear()
    async with Background(scene.expiry.run()):
        await asyncio.sleep(1)
    assert [number for number, _ in scene.gone] == [1]


@moved
async def test_what_is_early_by_the_clock_of_the_stream_goes_in_its_moment() -> None:
    scene = Scene()
    scene.stuck = {uid(9): 1}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(9))
        await asyncio.sleep(0.51)
        scene.stream_clock.offset = scene.stream_clock.offset._replace(
            error=timedelta(milliseconds=4)
        )
        await scene.cleared(due(1, 0.51))
        await asyncio.sleep(1)
    assert scene.gone == [(1, 0.514)], "not a tick later"


@moved
async def test_what_is_early_is_not_behind() -> None:
    scene = Scene()
    await scene.cleared(due(1, 0.0))
    assert not scene.expiry.is_behind(NOW)
    assert scene.expiry.is_behind(later(0.001))


@moved
async def test_the_pause_between_two_looks_leaves_most_of_the_server_to_others() -> None:
    scene = Scene()
    scene.stuck, scene.took = {uid(1): 7}, 0.2
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1))
        await asyncio.sleep(3)
    spans = [
        after - at for (at, _), (after, _) in zip(scene.looks[1:], scene.looks[2:], strict=False)
    ]
    assert spans
    assert min(spans) >= (1 + REST) * scene.took - 0.001


@moved
async def test_who_fires_timers_does_not_wait_for_a_slow_answer() -> None:
    scene = Scene()
    scene.took = 2.0
    async with Background(scene.expiry.run()):
        assert await scene.cleared(due(1)) == set()
        assert asyncio.get_running_loop().time() == PATIENCE_SECONDS
        assert scene.expiry.is_behind(NOW)
        await asyncio.sleep(3)
    assert [number for number, _ in scene.gone] == [1]


@moved
async def test_while_the_stream_cannot_be_asked_nothing_expires_and_that_is_told_once() -> None:
    scene = Scene()
    scene.away.times = 10
    with capture_logs() as logs:
        async with Background(scene.expiry.run()):
            assert await scene.cleared(due(1)) == set()
            assert await scene.cleared(due(2)) == set()
            assert len(scene.looks) == 1, "it is known that there is no answer"
            await asyncio.sleep(5 * RETRY_SECONDS)
            (fault,) = scene.expiry.faults()
            assert "may the user ask?" in fault
            assert scene.gone == []
            await asyncio.sleep(10 * RETRY_SECONDS)
    assert [number for number, _ in scene.gone] == [1, 2]
    assert scene.expiry.faults() == []
    assert [one["event"] for one in logs] == ["expiry.delayed", "expiry.resumed"]


@moved
async def test_what_one_message_holds_up_for_too_long_expires_with_a_warning() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    async with Background(scene.expiry.run()):
        with capture_logs() as logs:
            await scene.cleared(due(1))
            await asyncio.sleep(LONG - 1)
            assert scene.gone == []
            await asyncio.sleep(2)
    assert [number for number, _ in scene.gone] == [1]
    ((name, reason),) = scene.warned
    assert name == uid(1)
    assert "message 7 of the stream of events is not handled for 600 s" in reason
    assert [one["event"] for one in logs] == ["expiry.forced"]


@moved
async def test_another_message_or_a_stream_that_is_away_begins_the_time_anew() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7, uid(2): 7}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1), due(2))
        await asyncio.sleep(LONG - 10)
        scene.stuck[uid(2)] = 8
        await asyncio.sleep(5)
        scene.away.times = 1
        await asyncio.sleep(LONG - 10)
        assert scene.gone == []
        await asyncio.sleep(20)
        assert {number for number, _ in scene.gone} == {1, 2}


@moved
async def test_time_in_which_the_store_was_away_does_not_count() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1))
        await asyncio.sleep(LONG - 10)
        scene.well_since = math.inf  # no heartbeat is stored
        await asyncio.sleep(LONG)
        scene.well_since = asyncio.get_running_loop().time()
        await asyncio.sleep(LONG - 1)
        assert scene.gone == []
        await asyncio.sleep(2)
    assert [number for number, _ in scene.gone] == [1]


@moved
async def test_time_in_which_the_process_slept_does_not_count() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1))
        await asyncio.sleep(LONG - 10)
        scene.slept_seconds = 30.0
        await asyncio.sleep(20)
        assert scene.gone == []
        await asyncio.sleep(LONG)
    assert [number for number, _ in scene.gone] == [1]


@moved
async def test_an_event_that_is_parked_for_a_wait_holds_it_up_too() -> None:
    scene = Scene()
    scene.parked = {uid(1): HeldUp(reason="an event is parked for it", events=1, sequence=3)}
    async with Background(scene.expiry.run()):
        assert await scene.cleared(due(1), due(2)) == {2}
        await asyncio.sleep(10)
        assert scene.gone == []
        scene.parked.clear()
        await asyncio.sleep(1)
    assert [number for number, _ in scene.gone] == [1]


@moved
async def test_what_was_cancelled_meanwhile_counts_no_more() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7, uid(2): 7}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1), due(2))
        scene.over.add(uid(1))
        await asyncio.sleep(ALIVE_SECONDS + 1)
        assert scene.expiry.figures.number == 1
        scene.over.add(uid(2))
        await asyncio.sleep(ALIVE_SECONDS + 1)
    assert (scene.expiry.figures.number, scene.gone, scene.warned) == (0, [], [])


@moved
async def test_what_was_cancelled_just_now_does_not_expire_with_a_warning() -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    async with Background(scene.expiry.run()):
        await scene.cleared(due(1))
        await asyncio.sleep(LONG - LOOK)
        scene.over.add(uid(1))
        await asyncio.sleep(1)
    assert (scene.gone, scene.warned) == ([], [])


@moved
async def test_many_go_in_batches_and_stay_where_the_store_is_away() -> None:
    scene = Scene()
    many = 2 * BATCH + 1
    scene.stuck = {uid(number): 7 for number in range(many)}
    async with Background(scene.expiry.run()):
        await scene.cleared(*(due(number) for number in range(many)))
        scene.stuck.clear()
        scene.store_away.times = 1
        await asyncio.sleep(LOOK)
        assert scene.gone == []
        assert scene.expiry.is_behind(NOW)
        await asyncio.sleep(2 * RETRY_SECONDS)
        assert scene.batches == [BATCH, BATCH, 1]
        assert not scene.expiry.is_behind(NOW)
    assert scene.expiry.figures == (0, None)


@moved
async def test_what_does_not_fit_is_left_to_the_sweep() -> None:
    scene = Scene()
    scene.stuck = {uid(number): 7 for number in range(MOST + 1)}
    await scene.cleared(*(due(number) for number in range(MOST + 1)))
    assert scene.expiry.figures.number == MOST


@pytest.mark.parametrize("until", [-1.0, 30.0])
@moved
async def test_cases_wait_for_what_is_held_up_and_due(until: float) -> None:
    scene = Scene()
    scene.stuck = {uid(1): 7}
    await scene.cleared(due(1, until))
    assert scene.expiry.is_behind(NOW) == (until < 0)
    scene.expiry.forget()
    assert not scene.expiry.is_behind(NOW)
    await turns()
