"""What comes out of a hold: what its events say in the order of their times."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.matching.course import (
    MOST_BYTES,
    MOST_EVENTS,
    beyond_bounds,
    course,
    decided,
    up_to,
)
from lockstep.model.timers import HoldEvent
from unit.values import later

SPAN: Final = 10.0


def arms(at: float, span: float = SPAN, sequence: int = 0, size: int = 0) -> HoldEvent:
    """An event that arms a hold."""
    return HoldEvent(time=later(at), sequence=sequence, due_at=later(at + span), size=size)


def cancels(at: float, sequence: int = 0) -> HoldEvent:
    """An event that cancels one."""
    return HoldEvent(time=later(at), sequence=sequence)


def outcome(events: Sequence[HoldEvent]) -> list[float]:
    """When the events were that arm what comes out."""
    return [(one.time - later(0)).total_seconds() for one in course(events).holds]


def told(events: Sequence[HoldEvent]) -> list[str]:
    """What each one does."""
    return [one.part for one in course(events).parts]


@pytest.mark.parametrize(
    ("events", "out", "parts"),
    [
        ([], [], []),
        ([arms(0)], [0], ["arms"]),
        ([cancels(0)], [], ["nothing"]),
        ([arms(0), cancels(5)], [], ["ended", "cancels"]),
        ([arms(0), cancels(10)], [], ["ended", "cancels"]),
        ([arms(0), cancels(10.001)], [0], ["arms", "nothing"]),
        ([cancels(0), arms(1)], [1], ["nothing", "arms"]),
        ([arms(0, sequence=1), cancels(0, sequence=2)], [], ["ended", "cancels"]),
        ([cancels(0, sequence=1), arms(0, sequence=2)], [0], ["nothing", "arms"]),
        ([arms(0), arms(10)], [0], ["arms", "ignored"]),
        ([arms(0), arms(10.001)], [0, 10.001], ["arms", "arms"]),
        ([arms(0), arms(5), cancels(6), arms(7)], [7], ["ended", "ignored", "cancels", "arms"]),
        ([arms(0), arms(11), cancels(12)], [0], ["arms", "ended", "cancels"]),
        ([arms(0), cancels(3), cancels(4)], [], ["ended", "cancels", "nothing"]),
        ([arms(0, 1), arms(1.5, 20), arms(3, 1)], [0, 1.5], ["arms", "arms", "ignored"]),
    ],
)
def test_what_comes_out(events: list[HoldEvent], out: list[float], parts: list[str]) -> None:
    assert outcome(events) == out
    assert told(events) == parts


def test_each_event_knows_which_other_one_has_to_do_with_it() -> None:
    first, again, off, late = events = [arms(0), arms(2), cancels(5), cancels(6)]
    others = [one.other for one in course(events).parts]
    assert others == [off, first, first, None]
    over = course([first, late, arms(20), cancels(31)])
    assert [one.other for one in over.parts] == [late, first, None, arms(20)]
    assert again.time < off.time


SPANS = st.sampled_from([1.0, 3.0, 10.0])
EVENTS = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.none(), SPANS)),
    max_size=14,
    unique_by=lambda e: e[0],
).map(
    lambda some: sorted(
        (cancels(at) if span is None else arms(at, span) for at, span in some),
        key=lambda one: one.rank,
    )
)


def naive(events: Sequence[HoldEvent]) -> list[float]:
    """As a clock would do it that has a second in which it looks at one event."""
    armed: float | None = None
    due, out = 0.0, []
    at_second = {int((one.time - later(0)).total_seconds()): one for one in events}
    for second in range(200):
        if armed is not None and second > due:
            out.append(armed)
            armed = None
        event = at_second.get(second)
        if event is None:
            continue
        if event.due_at is None:
            armed = None
        elif armed is None:
            armed, due = float(second), (event.due_at - later(0)).total_seconds()
    return out


@given(EVENTS)
def test_it_is_what_a_clock_would_do(events: list[HoldEvent]) -> None:
    assert outcome(events) == naive(events)
    holds = course(events).holds
    assert all(one.until < other.time for one, other in pairwise(holds))


@given(EVENTS, st.integers(0, 14))
def test_what_is_decided_changes_nothing_whatever_comes_behind_it(
    events: list[HoldEvent], until: int
) -> None:
    until = min(until, len(events))
    over = decided(events, until)
    left = [one for one in events if one not in over]
    assert course(left).holds == course(events).holds
    assert set(map(id, over)) <= set(map(id, events[:until]))


@given(EVENTS, EVENTS)
def test_what_was_cancelled_never_comes_out_so_that_its_payload_may_go(
    events: list[HoldEvent], more: list[HoldEvent]
) -> None:
    known = {one.time for one in events}
    together = sorted(
        [*events, *(one for one in more if one.time not in known)], key=lambda one: one.rank
    )
    parts = course(events).parts
    ended = [one for one, part in zip(events, parts, strict=True) if part.part == "ended"]
    assert not any(one is hold for one in ended for hold in course(together).holds)


def test_events_up_to_a_time_are_counted_with_those_at_it() -> None:
    events = [cancels(1), cancels(2), cancels(2, sequence=1), cancels(3)]
    assert [up_to(events, later(at)) for at in (0, 1, 2, 9)] == [0, 1, 3, 4]


def test_so_many_and_so_large_events_have_room_and_of_more_the_oldest_have_none() -> None:
    assert beyond_bounds([cancels(at) for at in range(MOST_EVENTS)]) == 0
    assert beyond_bounds([cancels(at) for at in range(MOST_EVENTS + 1)]) == MOST_EVENTS // 4 + 1
    half = MOST_BYTES // 2
    assert beyond_bounds([arms(at, size=half) for at in range(2)]) == 0
    assert beyond_bounds([arms(at, size=half) for at in range(3)]) == 2
    assert beyond_bounds([arms(1, size=9 * half)]) == 0
    assert beyond_bounds([]) == 0
