"""Parked rows: each replica tries what others put aside, and loses nothing where that breaks."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import StoreTooSlow, Unavailable
from lockstep.model.outbox import EventRow
from lockstep.model.runs import RunState
from lockstep.model.waits import Due
from lockstep.replicas.parked import ParkedTrials
from unit.fakes import Away, FreePlaces
from unit.moved import Clock, moved
from unit.values import run_state, uid


class Aside:
    """What is parked, in all tables, and what a replica does with it: notes what was asked."""

    def __init__(self) -> None:
        self.away, self.lost = Away(), Away()
        self.runs: list[RunState] = []
        self.outbox: list[str] = []
        self.due: list[Due] = []
        self.unreadable_here: dict[str, str] = {}
        self.done: list[str] = []
        self.topics: list[str] = []
        self.faults: dict[str, Exception] = {}  # by what raises it

    def _called(self, name: str) -> None:
        self.done.append(name)
        if name in self.faults:
            raise self.faults[name]

    async def claim_parked(self, limit: int, now: datetime) -> Sequence[RunState]:
        """See `ParkedRuns`."""
        if fault := self.faults.get("runs"):
            raise fault
        taken, self.runs = self.runs[:limit], self.runs[limit:]
        return taken

    async def revive(self, run: RunState) -> int:
        """See `ParkedRuns`."""
        self.lost.check()
        return 17

    async def release_waits(self, limit: int) -> Sequence[Due]:
        """See `ParkedRows`."""
        return self.due

    async def release_timers(self, limit: int) -> Sequence[Due]:
        """See `ParkedRows`."""
        return self.due

    async def release_outbox(self, limit: int) -> Sequence[str]:
        """See `ParkedRows`."""
        topics, self.outbox = self.outbox, []
        return topics

    async def note_automations(self, unreadable: Mapping[str, str]) -> None:
        """See `ParkedRows`."""
        self.away.check()
        self.done.append(f"noted {sorted(unreadable)}")

    async def forget_trials(self) -> None:
        """See `ParkedRows`."""
        self.done.append("tries again")

    def unreadable(self) -> Mapping[str, str]:
        """See `Knowledge`."""
        return dict(self.unreadable_here)

    async def judge(self, limit: int) -> None:
        """See `EventsApart`."""
        self._called("judged")

    async def bury(self, limit: int) -> None:
        """See `EventsApart`."""
        self._called("buried")

    def offer(self, rows: Sequence[EventRow]) -> None:
        """See `ports.report.Report`."""

    async def take_over(self, topics: Sequence[str]) -> None:
        """See `ports.report.Report`."""
        if fault := self.faults.get("told"):
            raise fault
        self.topics += topics

    async def fire_waits(self, due: Sequence[Due]) -> None:
        """Fire waits that are due."""
        self._called("waits")

    async def fire_timers(self, due: Sequence[Due]) -> None:
        """Fire timers that are due."""
        self._called("timers")


class Scene:
    """A replica with some free places."""

    def __init__(self, free: int = 8) -> None:
        self.aside, self.places = Aside(), FreePlaces(free)
        self.trials = ParkedTrials(
            rows=self.aside,
            runs=self.aside,
            knowledge=self.aside,
            places=self.places,
            report=self.aside,
            clock=Clock(),
            fire_waits=self.aside.fire_waits,
            fire_timers=self.aside.fire_timers,
            events=self.aside,
        )

    @property
    def taken(self) -> list[int]:
        """The runs that have a place now."""
        return [one.id.int for one in self.places.offered]


@moved
async def test_parked_runs_are_walked_and_told_of_in_order() -> None:
    scene = Scene()
    scene.aside.runs = [run_state(1), run_state(2, has_frames=False)]
    scene.aside.outbox = ["b", "a", "b"]
    await scene.trials.sweep()
    assert scene.taken == [1, 2]
    assert scene.places.offered[1].event_seq == 17
    assert scene.aside.topics == [*(str(one.id) for one in scene.places.offered), "a", "b"]
    assert scene.places.reserved == 0


@moved
async def test_a_run_whose_state_is_lost_is_not_walked_from_its_start_when_its_row_breaks() -> None:
    scene = Scene()
    scene.aside.runs = [run_state(1), run_state(2, has_frames=False), run_state(3)]
    scene.aside.lost.times = 1
    with pytest.raises(Unavailable):
        await scene.trials.sweep()
    assert (scene.taken, scene.places.reserved) == ([1], 0)


@moved
async def test_without_a_free_place_all_but_runs_is_tried() -> None:
    scene = Scene(0)
    scene.aside.runs, scene.aside.outbox = [run_state(1)], ["a"]
    await scene.trials.sweep()
    assert (scene.taken, len(scene.aside.runs), scene.aside.topics) == ([], 1, ["a"])


@moved
async def test_a_replica_that_knows_more_than_before_tries_everything_again() -> None:
    scene = Scene()
    scene.aside.unreadable_here = {"a": "no such filter", "b": "no such action"}
    await scene.trials.sweep()
    await scene.trials.sweep()
    assert scene.aside.done == ["noted ['a', 'b']", *["judged", "buried"] * 2]
    del scene.aside.unreadable_here["a"]
    await scene.trials.sweep()
    assert scene.aside.done[-4:] == ["tries again", "noted ['b']", "judged", "buried"]


@moved
async def test_what_cannot_be_compiled_is_noted_again_each_minute_since_others_may_have_gone() -> (
    None
):
    scene = Scene()
    for _ in range(13):
        await scene.trials.sweep()
        await asyncio.sleep(5)
    assert [one for one in scene.aside.done if one.startswith("noted")] == ["noted []"] * 2
    assert "tries again" not in scene.aside.done, "it knows what it knew"


@moved
async def test_what_could_not_be_noted_is_noted_the_next_time() -> None:
    scene = Scene()
    scene.aside.unreadable_here = {"a": "no such filter"}
    scene.aside.away.times = 1
    with pytest.raises(Unavailable):
        await scene.trials.sweep()
    await scene.trials.sweep()
    assert "noted ['a']" in scene.aside.done


TABLES = {
    "runs": "run",
    "waits": "wait",
    "timers": "timer",
    "told": "outbox",
    "judged": "event",
    "buried": "old event",
}


def _full() -> Scene:
    """A replica that finds something in each table."""
    scene = Scene()
    scene.aside.due = [Due(uid(1), "delay", Clock().now())]
    scene.aside.outbox = ["a"]
    return scene


@pytest.mark.parametrize("error", [StoreTooSlow("a statement"), ValueError("odd")])
@pytest.mark.parametrize("fails", TABLES)
@moved
async def test_what_fails_for_one_table_keeps_no_other_from_being_tried(
    fails: str, error: Exception
) -> None:
    scene = _full()
    scene.aside.faults = {fails: error, "buried": ValueError("told of, and not raised")}
    scene.aside.faults[fails] = error
    with capture_logs() as logs, pytest.raises(type(error)) as raised:
        await scene.trials.sweep()
    assert raised.value is error, "the first one"
    assert scene.aside.done[1:] == ["waits", "timers", "judged", "buried"]
    assert scene.aside.topics == ([] if fails == "told" else ["a"])
    failed = [line["kind"] for line in logs if line["event"] == "trial.failed"]
    assert failed == [*dict.fromkeys((TABLES[fails], "old event"))]


@pytest.mark.parametrize("fails", TABLES)
@moved
async def test_where_a_server_is_away_nothing_behind_it_is_tried(fails: str) -> None:
    scene = _full()
    scene.aside.faults = {fails: Unavailable("away"), "buried": ValueError("odd")}
    scene.aside.faults[fails] = Unavailable("away")
    with pytest.raises(Unavailable):
        await scene.trials.sweep()
    assert fails == "buried" or "buried" not in scene.aside.done


@pytest.mark.parametrize("error", [StoreTooSlow("a statement"), ValueError("odd")])
@moved
async def test_a_run_whose_row_fails_keeps_no_other_from_its_place(error: Exception) -> None:
    scene = Scene()
    scene.aside.runs = [run_state(1), run_state(2, has_frames=False), run_state(3)]
    scene.aside.lost.times, scene.aside.lost.error = 1, error
    with pytest.raises(type(error)):
        await scene.trials.sweep()
    assert (scene.taken, scene.places.reserved) == ([1, 3], 0)
    assert "buried" in scene.aside.done
