"""Schedules: what ticks when, over daylight saving, outages and clocks that jump."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.model.schedules import (
    MOST,
    Cron,
    Edge,
    Interval,
    Ticks,
    faults,
    first_due,
    next_tick,
    schedule_of,
    ticks,
)

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """Read a moment."""
    return datetime.fromisoformat(text)


def cron(pattern: str, zone: str = "UTC", missed: str = "last") -> Cron:
    """Make a cron schedule."""
    return Cron(pattern, zone, missed)  # type: ignore[arg-type] # one of the three


def never(_: str, __: datetime) -> bool:
    """No expression holds."""
    return False


def always(_: str, __: datetime) -> bool:
    """Every expression holds."""
    return True


def ticked(schedule: Cron | Interval, due: datetime, now: datetime) -> Ticks:
    """Judge a schedule without an expression."""
    return ticks(schedule, due, now, None, never)


@pytest.mark.parametrize(
    ("pattern", "zone", "after", "expected"),
    [
        ("*/5 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
        ("*/10 * * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"),
        ("0 9 * JAN MON", "UTC", "2026-10-01T00:00:00Z", "2027-01-04T09:00:00Z"),
        ("@daily", "Europe/Berlin", "2026-06-01T00:00:00Z", "2026-06-01T22:00:00Z"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 31 * *", "UTC", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z"),
        # Spring forward: 02:30 does not exist; it runs at the first moment after the gap.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"),
        # Fall back: 02:30 occurs twice, it runs once.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"),
        # Patterns that run all the time follow the time that really passes.
        ("0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("0 * * * *", "America/New_York", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"),
    ],
)
def test_the_next_tick_is_that_of_the_zone(
    pattern: str, zone: str, after: str, expected: str
) -> None:
    assert next_tick(cron(pattern, zone), at(after)) == at(expected)


@pytest.mark.parametrize(
    ("missed", "fired"),
    [("all", [9, 10, 11, 12]), ("last", [12]), ("skip", [12])],
)
def test_a_policy_says_which_ticks_of_an_outage_are_run(missed: str, fired: list[int]) -> None:
    due = NOON.replace(hour=9)
    found = ticked(cron("0 * * * *", missed=missed), due, NOON + timedelta(seconds=1))
    assert found.fire == [NOON.replace(hour=hour) for hour in fired]
    assert found.next_due == NOON.replace(hour=13)


def test_a_tick_that_is_late_is_skipped_where_missed_ones_are() -> None:
    found = ticked(cron("0 * * * *", missed="skip"), NOON, NOON + timedelta(minutes=1))
    assert found == Ticks([], NOON.replace(hour=13))


def test_an_outage_of_a_year_is_not_walked_from_its_beginning() -> None:
    long_ago = NOON - timedelta(days=365)
    found = ticked(cron("* * * * * *", missed="all"), long_ago, NOON)
    assert len(found.fire) == MOST
    assert found.fire[-1] == NOON
    assert ticked(cron("* * * * * *"), long_ago, NOON).fire == [NOON]
    assert ticked(cron("@yearly"), at("2020-01-01T00:00:00Z"), NOON) == Ticks(
        [at("2026-01-01T00:00:00Z")], at("2027-01-01T00:00:00Z")
    )


def test_a_clock_that_jumps_back_fires_nothing_twice() -> None:
    hourly = cron("0 * * * *")
    first = ticked(hourly, NOON, NOON)
    assert first.fire == [NOON]
    assert first.next_due is not None
    back = ticked(hourly, first.next_due, NOON - timedelta(hours=3))
    assert back == Ticks([], first.next_due)
    assert ticked(hourly, first.next_due, first.next_due).fire == [first.next_due]


def test_an_interval_ticks_once_however_late_and_keeps_its_beat() -> None:
    interval = Interval(interval_seconds=60)
    assert first_due(interval, NOON) == NOON + timedelta(seconds=60)
    found = ticked(interval, NOON, NOON + timedelta(seconds=200))
    assert found == Ticks([NOON], NOON + timedelta(seconds=240))


def test_a_template_fires_when_its_value_goes_from_false_to_true() -> None:
    edge = Edge(value_template="x", interval_seconds=10)
    now = NOON
    fired, last = [], None
    for value in (False, True, True, False, True):
        found = ticks(edge, now, now, last, always if value else never)
        fired.append(bool(found.fire))
        last, now = found.last_value, now + timedelta(seconds=10)
        assert found.next_due == now
    assert fired == [False, True, False, False, True]


@pytest.mark.parametrize(
    ("event", "config", "field", "part"),
    [
        ("automation.cron", {"cronPattern": "61 * * * *"}, "cronPattern", "bad minute"),
        ("automation.cron", {"cronPattern": "* * *"}, "cronPattern", "number of fields"),
        ("automation.cron", {"cronPattern": "0 0 30 2 *"}, "cronPattern", "day-of-month"),
        (
            "automation.cron",
            {"cronPattern": "@daily", "timezone": "Europe/Berlim"},
            "timezone",
            "did you mean Europe/Berlin?",
        ),
    ],
)
def test_a_wrong_config_is_told_with_its_field(
    event: str, config: dict[str, str], field: str, part: str
) -> None:
    ((name, message),) = faults(event, config)
    assert name == field
    assert part in message


def test_a_right_config_has_no_fault_and_other_events_no_schedule() -> None:
    assert list(faults("automation.cron", {"cronPattern": "@hourly", "timezone": "UTC"})) == []
    assert list(faults("automation.interval", {"intervalSeconds": 5})) == []
    assert schedule_of("orders.created", {}) is None


@given(
    minute=st.sampled_from(["*", "*/7", "0", "15,45", "10-20"]),
    hour=st.sampled_from(["*", "*/5", "3", "8-10"]),
    offset=st.integers(0, 100_000),
)
def test_ticks_are_those_that_a_walk_of_the_minutes_finds(
    minute: str, hour: str, offset: int
) -> None:
    begin = NOON + timedelta(minutes=offset)
    found, moment = [], begin
    while (following := next_tick(cron(f"{minute} {hour} * * *"), moment)) is not None:
        if following > begin + timedelta(days=1):
            break
        found.append(following)
        moment = following
    walked = [begin + timedelta(minutes=n) for n in range(1, 1441)]
    walked = [
        one for one in walked if _within(minute, one.minute, 60) and _within(hour, one.hour, 24)
    ]
    assert found == walked


def _within(field: str, value: int, most: int) -> bool:
    """Judge one field of a pattern in the plainest way."""
    allowed: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = 0 if span == "*" else int(first)
        high = most - 1 if span == "*" else int(last or first)
        allowed |= set(range(low, high + 1, int(step or 1)))
    return value in allowed
