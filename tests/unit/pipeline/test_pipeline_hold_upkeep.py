"""What is kept for holds goes once nothing can need it any more, some at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from lockstep.model.errors import Unavailable
from lockstep.model.timers import ArmedHold, Holder, HoldEvent, OldHolder
from lockstep.pipeline import HoldUpkeep
from lockstep.pipeline.hold_upkeep import AT_ONCE
from lockstep.ports.unhandled import HeldUp, Question
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import NOW, automation, event, later, triggered, uid

HELD = triggered(**{"for": {"minutes": 1}})
EVERY_MINUTE = {"event": "automation.interval", "config": {"intervalSeconds": 60}}


class Stream:
    """Knows which keys have events that are not handled."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.unhandled: set[str | None] = set()
        self.away = False

    async def held_up(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        if self.away:
            raise Unavailable("away")
        self.asked += questions
        return {
            one.id: HeldUp(reason="1 event")
            for one in questions
            if one.context_key in self.unhandled
        }


class Scene:
    """Holders of one automation, and the upkeep."""

    def __init__(self, *automations: Any) -> None:
        self.ways, self.stream = Ways(*automations), Stream()
        self.upkeep = HoldUpkeep(self, self.stream, self.ways.parts)
        self.pages: list[int] = []

    def keep(self, key: str | None, *ages: float, of: str = "a") -> Holder:
        """Keep events that cancel, so many seconds old."""
        holder = Holder(of, "test_event", key)
        events = [HoldEvent(time=later(-age), sequence=1) for age in ages]
        self.ways.tx.hold_events[holder] = {one.rank: (one, None) for one in events}
        return holder

    @property
    def kept(self) -> dict[str | None, list[float]]:
        """How old what is kept is, by key."""
        return {
            holder.context_key: [(NOW - time).total_seconds() for time, _ in sorted(events)]
            for holder, events in self.ways.tx.hold_events.items()
            if events
        }

    async def old(
        self, before: datetime, after: OldHolder | None, limit: int
    ) -> Sequence[OldHolder]:
        """See `pipeline.hold_upkeep.OldHolders`."""
        found = sorted(
            (
                OldHolder(time, holder)
                for holder, events in self.ways.tx.hold_events.items()
                for time, _ in events
                if time < before
            ),
            key=lambda one: (one.time, str(one.holder.context_key)),
        )
        page = [one for one in found if after is None or one.time > after.time][:limit]
        self.pages.append(len(page))
        return page


@moved
async def test_what_no_event_can_need_any_more_goes_and_the_rest_stays() -> None:
    scene = Scene(HELD)
    scene.keep("k", 300, 61, 59)
    await scene.upkeep.compact()
    assert scene.kept == {"k": [59]}
    (asked,) = scene.stream.asked
    assert (asked.event_id, asked.context_key, asked.until) == ("test.event", "k", later(-60))
    locks = [one for one in scene.ways.order if one in {"lock_keys", "lock_automations"}]
    assert locks == ["lock_keys", "lock_automations"]
    assert scene.ways.tx.locked == ["h/a/test_event/=k"]


@moved
async def test_what_an_older_event_could_still_need_stays() -> None:
    scene = Scene(HELD)
    scene.keep("k", 300)
    scene.keep(None, 300)
    scene.stream.unhandled = {"k"}
    await scene.upkeep.compact()
    assert scene.kept == {"k": [300]}


@moved
async def test_the_hold_that_stands_and_those_behind_it_stay() -> None:
    scene = Scene(HELD)
    holder = scene.keep("k", 250, 100)
    following = HoldEvent(time=later(-120), sequence=2, due_at=later(-60))
    scene.ways.tx.hold_events[holder][following.rank] = following, event(2)
    again = HoldEvent(time=later(-110), sequence=3, due_at=later(-50))
    scene.ways.tx.hold_events[holder][again.rank] = again, event(3)
    by = HoldEvent(time=later(-200), sequence=1, due_at=later(-140))
    scene.ways.tx.holds[holder] = ArmedHold(uid(1), by)
    del scene.ways.tx.hold_events[holder][(later(-100), 1)]
    await scene.upkeep.compact()
    assert scene.kept == {"k": [120]}
    assert scene.ways.tx.holds[holder].by is by


@moved
async def test_what_no_trigger_asks_for_any_more_goes_without_a_question() -> None:
    scene = Scene(HELD, automation("b"))
    scene.keep("gone", 300, 10, of="c")
    scene.keep("holds no more", 300, of="b")
    scene.stream.away = True
    await scene.upkeep.compact()
    assert scene.kept == {}


@moved
async def test_of_a_schedule_nothing_is_asked_and_nothing_comes_late() -> None:
    scene = Scene(
        automation(triggers=[{**EVERY_MINUTE, "id": "test_event", "for": {"minutes": 1}}])
    )
    scene.keep(None, 300, 10)
    scene.stream.away = True
    await scene.upkeep.compact()
    assert scene.kept == {None: [10]}


@moved
async def test_what_cannot_be_compiled_here_is_left_to_others() -> None:
    scene = Scene(HELD)
    scene.ways.programs.clear()
    scene.keep("k", 300)
    await scene.upkeep.compact()
    assert (scene.kept, scene.stream.asked) == ({"k": [300]}, [])


@moved
async def test_while_the_stream_is_away_nothing_goes() -> None:
    scene = Scene(HELD)
    scene.keep("k", 300)
    scene.stream.away = True
    with pytest.raises(Unavailable):
        await scene.upkeep.compact()
    assert scene.kept == {"k": [300]}


@moved
async def test_many_go_page_by_page_and_what_is_held_up_hides_nothing() -> None:
    scene = Scene(HELD)
    keys = [f"k{number}" for number in range(2 * AT_ONCE + 5)]
    for number, key in enumerate(keys):
        scene.keep(key, 1000 - number)
    scene.stream.unhandled = set(keys[: AT_ONCE + 1])
    await scene.upkeep.compact()
    assert set(scene.kept) == scene.stream.unhandled
    assert scene.pages == [AT_ONCE, AT_ONCE, 5]
    assert len(scene.stream.asked) == len(keys)
