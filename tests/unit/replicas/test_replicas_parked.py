"""Parked rows: each replica tries what others put aside, and loses nothing where that breaks."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from lockstep.model.errors import Unavailable
from lockstep.model.outbox import EventRow
from lockstep.model.runs import RunState
from lockstep.model.waits import Due
from lockstep.replicas.parked import ParkedTrials
from unit.fakes import Away, FreePlaces
from unit.moved import Clock, moved
from unit.values import run_state


class Aside:
    """What is parked, in all tables, and what a replica does with it: notes what was asked."""

    def __init__(self) -> None:
        self.away, self.lost = Away(), Away()
        self.runs: list[RunState] = []
        self.outbox: list[str] = []
        self.unreadable_here: dict[str, str] = {}
        self.done: list[str] = []
        self.topics: list[str] = []

    async def claim_parked(self, limit: int, now: datetime) -> Sequence[RunState]:
        """See `ParkedRuns`."""
        taken, self.runs = self.runs[:limit], self.runs[limit:]
        return taken

    async def revive(self, run: RunState) -> int:
        """See `ParkedRuns`."""
        self.lost.check()
        return 17

    async def release_waits(self, limit: int) -> Sequence[Due]:
        """See `ParkedRows`."""
        return []

    async def release_timers(self, limit: int) -> Sequence[Due]:
        """See `ParkedRows`."""
        return []

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
        self.done.append("judged")

    async def bury(self, limit: int) -> None:
        """See `EventsApart`."""
        self.done.append("buried")

    def offer(self, rows: Sequence[EventRow]) -> None:
        """See `ports.report.Report`."""

    async def take_over(self, topics: Sequence[str]) -> None:
        """See `ports.report.Report`."""
        self.topics += topics

    async def fire(self, due: Sequence[Due]) -> None:
        """Fire what is due."""
        self.done.append(f"fired {len(due)}")


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
            fire_waits=self.aside.fire,
            fire_timers=self.aside.fire,
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
