"""What fires after outages and jumps of the clock, and when schedules are due first."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import at_most
from lockstep.schedule import MOST, Cron, Edge, Interval, Ticks, first_due, next_tick, ticks

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
Missed = Literal["skip", "last", "all"]


def never(_: str, __: datetime) -> bool:
    """No expression holds."""
    return False


def always(_: str, __: datetime) -> bool:
    """Every expression holds."""
    return True


def ticked(schedule: Cron | Interval, due: datetime, now: datetime) -> Ticks:
    """Judge a schedule without an expression."""
    return ticks(schedule, due, now, None, never)


def hourly(missed: Missed = "last") -> Cron:
    """Make a schedule of each full hour."""
    return Cron("0 * * * *", missed=missed)


@pytest.mark.parametrize("missed", ["skip", "last", "all"])
def test_a_tick_in_time_fires_whatever_the_policy(missed: Missed) -> None:
    for late in (timedelta(0), SECOND, 29.9 * SECOND):
        assert ticked(hourly(missed), NOON, NOON + late) == Ticks([NOON], NOON + HOUR)


@pytest.mark.parametrize(
    ("missed", "late", "fired"),
    [
        ("all", 10 * MINUTE, [9, 10, 11, 12]),
        ("last", 10 * MINUTE, [12]),
        ("skip", 10 * MINUTE, []),
        ("skip", 30 * SECOND, []),
        ("skip", 29 * SECOND, [12]),
    ],
)
def test_a_policy_says_which_ticks_of_an_outage_fire(
    missed: Missed, late: timedelta, fired: list[int]
) -> None:
    found = ticked(hourly(missed), NOON.replace(hour=9), NOON + late)
    assert found == Ticks([NOON.replace(hour=hour) for hour in fired], NOON + HOUR)


def test_of_very_many_missed_ticks_the_newest_fire() -> None:
    found = ticked(Cron("* * * * *", missed="all"), NOON - timedelta(days=9), NOON)
    assert found.fire == [NOON - n * MINUTE for n in reversed(range(MOST))]
    assert found.next_due == NOON + MINUTE


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("pattern", ["* * * * * *", "* * * 1 1 *", "*/7 * * * *", "@yearly"])
@pytest.mark.parametrize("missed", ["skip", "last", "all"])
def test_an_outage_of_years_is_not_walked_from_its_beginning(
    missed: Missed, pattern: str, zone: str
) -> None:
    cron = Cron(pattern, zone, missed)
    due = next_tick(cron, datetime(2016, 1, 1, tzinfo=UTC))
    assert due is not None
    with at_most(calls=500_000):  # by walking it is a hundred times as many
        found = ticked(cron, due, datetime(2026, 12, 30, 12, 0, 15, tzinfo=UTC))
    assert len(found.fire) <= MOST
    assert found.fire == sorted(set(found.fire))


@given(
    pattern=st.sampled_from(
        ["*/20 * * * *", "30 2 * * *", "0,30 1-3 * * *", "*/30 2 * * *", "@hourly", "15 2 2 * * *"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    begin=st.integers(0, 365 * 24 * 60),
    outage=st.integers(0, 10 * 24 * 60),
)
def test_all_missed_ticks_are_those_of_a_walk_and_last_is_the_newest(
    pattern: str, zone: str, begin: int, outage: int
) -> None:
    all_, last = Cron(pattern, zone, "all"), Cron(pattern, zone, "last")
    due = next_tick(all_, datetime(2026, 1, 1, tzinfo=UTC) + begin * MINUTE)
    assert due is not None
    now = due + outage * MINUTE
    walked, moment = [], due
    while moment <= now:
        walked.append(moment)
        following = next_tick(all_, moment)
        assert following is not None
        moment = following
    assert ticked(all_, due, now) == Ticks(walked, moment)
    assert ticked(last, due, now) == Ticks(walked[-1:], moment)


@pytest.mark.parametrize("schedule", [hourly(), Interval(3600)])
def test_a_clock_that_jumps_back_fires_nothing_twice(schedule: Cron | Interval) -> None:
    first = ticked(schedule, NOON, NOON)
    assert first == Ticks([NOON], NOON + HOUR)
    for now in (NOON - 3 * HOUR, NOON, NOON + HOUR - SECOND):
        assert ticked(schedule, NOON + HOUR, now) == Ticks([], NOON + HOUR)
    assert ticked(schedule, NOON + HOUR, NOON + HOUR).fire == [NOON + HOUR]


def test_a_clock_that_jumps_forth_and_back_ticks_again_when_it_comes_by() -> None:
    forth = ticked(hourly(), NOON, NOON + 5 * HOUR)
    assert forth == Ticks([NOON + 5 * HOUR], NOON + 6 * HOUR)
    assert ticked(hourly(), NOON + 6 * HOUR, NOON + MINUTE) == Ticks([], NOON + 6 * HOUR)
    assert ticked(hourly(), NOON + 6 * HOUR, NOON + 6 * HOUR).fire == [NOON + 6 * HOUR]


def test_a_template_that_is_not_due_is_not_judged_and_keeps_its_value() -> None:
    edge = Edge(value_template="x", interval_seconds=10)
    assert ticks(edge, NOON, NOON - SECOND, True, never) == Ticks([], NOON, True)


@pytest.mark.parametrize(
    ("late", "beats"), [(0, 1), (59.999, 1), (60, 2), (200, 4), (86_400 * 400, 576_001)]
)
def test_an_interval_ticks_once_however_late_and_keeps_its_beat(late: float, beats: int) -> None:
    found = ticked(Interval(60), NOON, NOON + late * SECOND)
    assert found == Ticks([NOON], NOON + beats * MINUTE)


def test_a_schedule_is_due_first_after_its_first_interval_or_at_its_next_tick() -> None:
    assert first_due(Interval(90), NOON) == NOON + 90 * SECOND
    assert first_due(Edge(value_template="x", interval_seconds=7), NOON) == NOON + 7 * SECOND
    assert first_due(hourly(), NOON) == NOON + HOUR
    again = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 in Berlin, the second time
    assert first_due(Cron("30 2 * * *", "Europe/Berlin"), again) == datetime(
        2026, 10, 26, 1, 30, tzinfo=UTC
    )


def test_a_template_fires_when_its_value_goes_from_false_to_true() -> None:
    edge, now, last = Edge(value_template="x", interval_seconds=10), NOON, None
    fired = []
    for value in (False, True, True, False, True):
        found = ticks(edge, now, now, last, always if value else never)
        assert found.last_value is value
        assert found.next_due == now + 10 * SECOND
        fired.append(found.fire == [now])
        last, now = found.last_value, found.next_due
    assert fired == [False, True, False, False, True]


@pytest.mark.parametrize(
    ("holds", "last", "fires"),
    [
        (always, None, True),
        (always, False, True),
        (always, True, False),
        (never, None, False),
        (never, True, False),
    ],
)
def test_before_its_first_value_a_template_counts_as_false(
    holds: Callable[[str, datetime], bool], last: bool | None, fires: bool
) -> None:
    edge, now = Edge(value_template="x", interval_seconds=10), NOON + 25 * SECOND
    found = ticks(edge, NOON, now, last, holds)
    assert found == Ticks([now] if fires else [], NOON + 30 * SECOND, holds("x", now))


def test_a_template_is_judged_once_with_its_text_and_the_time() -> None:
    seen: list[tuple[str, datetime]] = []

    def holds(text: str, now: datetime) -> bool:
        seen.append((text, now))
        return True

    ticks(Edge(value_template="now > 'x'", interval_seconds=1), NOON, NOON + HOUR, False, holds)
    assert seen == [("now > 'x'", NOON + HOUR)]
