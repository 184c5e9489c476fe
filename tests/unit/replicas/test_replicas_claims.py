"""Claims: ready runs and those of dead workers are taken, as many as there is room for."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import Unavailable
from lockstep.model.outbox import EventRow
from lockstep.model.runs import RunState
from lockstep.ports.workers import Beat
from lockstep.replicas import Claims
from lockstep.replicas.claims import LOCKED_SECONDS, TICK_SECONDS
from unit.fakes import Away, FreePlaces
from unit.moved import Background, Clock, moved, turns
from unit.values import NOW, run_state, uid

MOST_READY = 100
GONE: list[Beat] = [(uid(9), NOW)]


class Orphans:
    """Runs without an owner, or whose owner is gone."""

    def __init__(self) -> None:
        self.away, self.lost = Away(), Away()
        self.ready: list[RunState] = []
        self.left: list[RunState] = []  # of workers that are gone
        self.are_locked = False  # ready runs that others have locked
        self.asked: list[tuple[str, int]] = []
        self.revived: list[RunState] = []
        self.more_ready = 0

    async def claim_ready(self, limit: int, now: datetime) -> tuple[Sequence[RunState], bool]:
        """See `OwnerlessRuns`."""
        self.asked.append(("claim", limit))
        self.away.check()
        taken, self.ready = self.ready[:limit], self.ready[limit:]
        return taken, self.are_locked

    async def adopt(self, limit: int, stale: Sequence[Beat]) -> Sequence[RunState]:
        """See `OwnerlessRuns`."""
        assert stale == GONE
        self.asked.append(("adopt", limit))
        taken, self.left = self.left[:limit], self.left[limit:]
        return taken

    async def revive(self, run: RunState) -> int:
        """See `OwnerlessRuns`."""
        self.lost.check()
        self.revived.append(run)
        return 17

    async def count_ready(self, limit: int) -> int:
        """See `OwnerlessRuns`."""
        return min(limit, self.more_ready)


class Heart:
    """The heartbeat of this worker."""

    is_steady = True


class Taken:
    """Publishes what others have left: notes of which topics."""

    def __init__(self) -> None:
        self.away = Away()
        self.topics: list[str] = []

    def offer(self, rows: Sequence[EventRow]) -> None:
        """See `ports.report.Report`."""

    async def take_over(self, topics: Sequence[str]) -> None:
        """See `ports.report.Report`."""
        self.away.check()
        self.topics += topics


class Valve:
    """Lets events in, or does not."""

    def __init__(self) -> None:
        self.pressed: list[bool] = []

    def press(self, is_too_much: bool) -> None:
        """See `Valve`."""
        self.pressed.append(is_too_much)


class Scene:
    """A worker with so many free places."""

    def __init__(self, free: int = 8) -> None:
        self.runs, self.places, self.heart = Orphans(), FreePlaces(free), Heart()
        self.report, self.valves = Taken(), [Valve(), Valve()]
        self.claims = Claims(
            self.runs, self.places, self.heart, lambda: GONE, Clock(), self.report, self.valves,
            MOST_READY,
        )  # fmt: skip

    @property
    def taken(self) -> list[int]:
        """The runs that have a place now."""
        return [one.id.int for one in self.places.offered]


def some(*numbers: int) -> list[RunState]:
    """Runs with these numbers."""
    return [run_state(number) for number in numbers]


@pytest.mark.parametrize(("free", "share"), [(8, 4), (7, 4), (1, 1)])
@moved
async def test_a_claim_takes_half_of_the_free_places_and_leaves_the_others_to_new_runs(
    free: int, share: int
) -> None:
    scene = Scene(free)
    scene.runs.ready = some(*range(1, 10))
    await scene.claims.tick()
    assert scene.runs.asked[-1] == ("claim", share)
    assert scene.taken == [*range(1, share + 1)]
    assert (scene.places.free, scene.places.reserved) == (free - share, 0)


@moved
async def test_without_a_free_place_nothing_is_asked_for() -> None:
    scene = Scene(0)
    scene.runs.ready, scene.runs.left = some(1), some(2)
    await scene.claims.tick()
    assert (scene.runs.asked, scene.taken) == ([], [])


@moved
async def test_runs_of_the_dead_are_taken_before_those_that_are_ready() -> None:
    scene = Scene()
    scene.runs.left, scene.runs.ready = some(1), some(2)
    with capture_logs() as logs:
        await scene.claims.tick()
    assert scene.taken == [1, 2]
    assert [(line["event"], line["runs"]) for line in logs] == [("runs.adopted", 1)]


@moved
async def test_a_worker_that_was_cut_off_itself_takes_nobody_for_dead() -> None:
    scene = Scene()
    scene.heart.is_steady = False
    scene.runs.left, scene.runs.ready = some(1), some(2)
    await scene.claims.tick()
    assert scene.taken == [2]
    scene.heart.is_steady = True
    await scene.claims.tick()
    assert scene.taken == [2, 1]


@moved
async def test_the_dead_are_looked_for_once_in_a_while_and_at_once_when_a_worker_is_gone() -> None:
    scene = Scene()
    await scene.claims.tick()
    await scene.claims.tick()
    assert [what for what, _ in scene.runs.asked] == ["adopt", "claim", "claim"]
    scene.claims.look()
    assert scene.places.wanted.is_set()
    await scene.claims.tick()
    assert [what for what, _ in scene.runs.asked[3:]] == ["adopt", "claim"]


@moved
async def test_what_the_last_owner_has_committed_is_published_before_its_runs_go_on() -> None:
    scene = Scene()
    scene.runs.left = some(1)
    scene.report.away.times = 1
    with pytest.raises(Unavailable):
        await scene.claims.tick()
    # They are ours now: they are walked, and what is not published yet the sweep finds.
    assert (scene.taken, scene.places.reserved) == ([1], 0)
    scene.runs.ready = some(2)
    await scene.claims.tick()
    assert scene.report.topics == [str(uid(2))]


@moved
async def test_while_the_store_is_away_places_are_given_back() -> None:
    scene = Scene()
    scene.runs.away.times = 1
    with pytest.raises(Unavailable):
        await scene.claims.tick()
    assert (scene.places.free, scene.places.reserved) == (8, 0)


@moved
async def test_a_run_whose_saved_state_is_gone_has_its_row_again_so_that_it_can_fail() -> None:
    scene = Scene()
    scene.runs.ready = [run_state(1, has_frames=False), run_state(2)]
    await scene.claims.tick()
    assert [one.id.int for one in scene.runs.revived] == [1]
    assert [one.event_seq for one in scene.places.offered] == [17, 0]


@moved
async def test_a_run_whose_row_could_not_be_made_again_is_not_walked_without_it() -> None:
    scene = Scene()
    scene.runs.ready = [run_state(1), run_state(2, has_frames=False)]
    scene.runs.lost.times = 1
    with pytest.raises(Unavailable):
        await scene.claims.tick()
    assert (scene.taken, scene.places.reserved) == ([1], 0)


@moved
async def test_too_many_ready_runs_press_on_every_valve_until_there_are_fewer() -> None:
    scene = Scene(2)
    scene.runs.ready, scene.runs.more_ready = some(1, 2), MOST_READY
    await scene.claims.tick()
    scene.runs.more_ready = MOST_READY - 1
    await scene.claims.tick()
    assert [valve.pressed for valve in scene.valves] == [[True, False]] * 2


@moved
async def test_a_claim_that_finds_fewer_than_it_asked_for_says_so_of_what_it_may_have_seen() -> (
    None
):
    scene = Scene()
    scene.places.asked = 3
    scene.runs.ready = some(1)
    await scene.claims.tick()
    assert scene.places.answered == 3
    assert scene.valves[0].pressed == [False]


@moved
async def test_runs_that_others_have_locked_are_looked_at_again_and_not_taken_for_gone() -> None:
    scene = Scene()
    scene.places.asked, scene.runs.are_locked = 3, True
    await scene.claims.tick()
    assert (scene.places.answered, scene.valves[0].pressed) == (0, [])
    assert not scene.places.wanted.is_set()
    await asyncio.sleep(2 * LOCKED_SECONDS)
    assert scene.places.wanted.is_set()


@moved
async def test_it_claims_at_once_when_a_place_is_wanted_and_else_once_a_second() -> None:
    scene = Scene()
    async with Background(scene.claims.run()):
        await turns()
        scene.runs.ready = some(1)
        await asyncio.sleep(TICK_SECONDS / 2)
        assert scene.taken == []
        scene.places.wanted.set()
        await turns()
        assert scene.taken == [1]
        scene.runs.ready = some(2)
        await asyncio.sleep(TICK_SECONDS)
        assert scene.taken == [1, 2]


@moved
async def test_it_goes_on_when_the_store_is_back() -> None:
    scene = Scene()
    scene.runs.away.times, scene.runs.ready = 2, some(1)
    with capture_logs() as logs:
        async with Background(scene.claims.run()):
            await asyncio.sleep(2 * TICK_SECONDS + 0.1)
    assert scene.taken == [1]
    assert [line["event"] for line in logs] == ["service.delayed"] * 2
