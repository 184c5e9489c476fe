"""Cron: the next tick, over daylight saving, ends of months and odd zones."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effort import at_most
from lockstep.schedule import Cron, next_tick

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def at(text: str) -> datetime:
    """Read a moment."""
    return datetime.fromisoformat(text)


def next_ticks(pattern: str, zone: str, after: str, count: int) -> list[str]:
    """Give some ticks after a moment, as minutes in UTC: month, day, time."""
    found, moment = [], at(after)
    for _ in range(count):
        following = next_tick(Cron(pattern, zone), moment)
        assert following is not None
        assert following > moment
        moment = following
        found.append(moment.strftime("%m-%d %H:%M" if moment.second == 0 else "%m-%d %H:%M:%S"))
    return found


@pytest.mark.parametrize(
    ("pattern", "after", "expected"),
    [
        ("*/5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
        ("*/5 * * * *", "2026-01-01T00:04:59.999999Z", "2026-01-01T00:05:00Z"),
        ("*/5 * * * *", "2026-01-01T00:05:00.000001Z", "2026-01-01T00:10:00Z"),
        ("*/10 * * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"),
        ("15,45 * * * * *", "2026-01-01T00:00:15Z", "2026-01-01T00:00:45Z"),
        ("30 0 12 * * *", "2026-01-01T12:00:30Z", "2026-01-02T12:00:30Z"),
        ("0 9 * JAN MON", "2026-10-01T00:00:00Z", "2027-01-04T09:00:00Z"),
        ("0 9 * jan-mar mon-fri", "2026-12-31T00:00:00Z", "2027-01-01T09:00:00Z"),
        ("5-20/5 8 * * *", "2026-01-01T08:11:00Z", "2026-01-01T08:15:00Z"),
        ("0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        # A day of the month or a day of the week, as cron(8) has it.
        ("0 0 13 * FRI", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        # Leap days and ends of months.
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 31 * *", "2026-04-01T00:00:00Z", "2026-05-31T00:00:00Z"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
        ("0 0 L * *", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"),
        # Words of the week and of the month, as other crons have them too.
        ("0 9 * * MON-SUN", "2026-01-03T09:00:00Z", "2026-01-04T09:00:00Z"),
        ("0 9 * * sat-sun", "2026-01-01T00:00:00Z", "2026-01-03T09:00:00Z"),
        ("0 9 * * SAT-0", "2026-01-03T09:00:00Z", "2026-01-04T09:00:00Z"),
        ("0 9 * * SUN-SUN", "2026-01-01T00:00:00Z", "2026-01-04T09:00:00Z"),
        ("0 9 * * THU-SUN/2", "2026-01-01T10:00:00Z", "2026-01-03T09:00:00Z"),
        ("0 9 * * SUNL", "2026-01-01T00:00:00Z", "2026-01-25T09:00:00Z"),
        ("0 9 * * FRIL,sun#1", "2026-01-05T00:00:00Z", "2026-01-30T09:00:00Z"),
        ("0 9 * * FRI#3", "2026-01-01T00:00:00Z", "2026-01-16T09:00:00Z"),
        ("0 9 LW * *", "2026-01-01T00:00:00Z", "2026-01-30T09:00:00Z"),
        ("@hourly", "2026-06-01T00:30:00Z", "2026-06-01T01:00:00Z"),
        ("@daily", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"),
        ("@midnight", "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"),
        ("@weekly", "2026-06-01T00:00:00Z", "2026-06-07T00:00:00Z"),
        (" @Monthly ", "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("@yearly", "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("@annually", "2026-06-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_the_next_tick_comes_strictly_after_and_is_of_the_pattern(
    pattern: str, after: str, expected: str
) -> None:
    assert next_tick(Cron(pattern), at(after)) == at(expected)


@pytest.mark.parametrize("seconds", ["", "0 "])  # with the field of seconds as without
@pytest.mark.parametrize(
    ("pattern", "zone", "after", "expected"),
    [
        # Spring forward, 02:00 to 03:00: once, at the first moment after the gap.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00Z", ["03-29 01:00", "03-30 00:30"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T12:00Z", ["03-08 07:00", "03-09 06:30"]),
        ("0,30 2,3 * * *", BERLIN, "2026-03-29T00:00Z", ["03-29 01:00", "03-29 01:30"]),
        # Fall back, 03:00 to 02:00 and 02:00 to 01:00: once, the first time.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00Z", ["10-25 00:30", "10-26 01:30"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T12:00Z", ["11-01 05:30", "11-02 06:30"]),
        # Armed while the clock shows the hour again: what it has shown does not come back.
        ("30 2 * * *", BERLIN, "2026-10-25T01:10Z", ["10-26 01:30"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01T06:59Z", ["11-02 06:30"]),
        ("0,30 2,3 * * *", BERLIN, "2026-10-25T01:10Z", ["10-25 02:00", "10-25 02:30"]),
        # Each hour and each minute that really passes.
        ("0 * * * *", BERLIN, "2026-03-29T00:00Z", ["03-29 01:00", "03-29 02:00"]),
        ("0 * * * *", BERLIN, "2026-10-24T23:30Z", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
        ("0 * * * *", NEW_YORK, "2026-11-01T04:30Z", ["11-01 05:00", "11-01 06:00"]),
        ("* * * * *", NEW_YORK, "2026-11-01T05:58Z", ["11-01 05:59", "11-01 06:00"]),
        ("* * * * *", NEW_YORK, "2026-03-08T06:58Z", ["03-08 06:59", "03-08 07:00"]),
        # A star in the minute or the hour: never in a gap, twice where the clock shows it twice.
        ("*/30 2 * * *", BERLIN, "2026-03-29T00:00Z", ["03-30 00:00"]),
        (
            "*/30 2 * * *",
            BERLIN,
            "2026-10-24T12:00Z",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-26 01:00"],
        ),
        # A change at midnight, one of half an hour, one of two hours.
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00Z", ["04-23 22:00", "04-24 21:00"]),
        (
            "*/15 2 * * *",
            "Australia/Lord_Howe",
            "2026-04-04T15:15Z",
            ["04-04 15:30", "04-04 15:45", "04-04 16:00", "04-04 16:15"],
        ),
        ("30 1,2 * * *", "Antarctica/Troll", "2026-03-29T00:00Z", ["03-29 01:00", "03-29 23:30"]),
    ],
)
def test_daylight_saving_is_that_of_debian(
    seconds: str, pattern: str, zone: str, after: str, expected: list[str]
) -> None:
    assert next_ticks(seconds + pattern, zone, after, len(expected)) == expected


@pytest.mark.parametrize("zone", ["UTC", BERLIN, NEW_YORK])
@pytest.mark.parametrize(
    "pattern", ["* * * * * *", "@yearly", "0 0 29 2 *", "59 59 23 31 12 *", "0 9 * * MON-FRI"]
)
def test_a_tick_is_found_in_some_hundred_steps(pattern: str, zone: str) -> None:
    cron, occurrences = (
        Cron(pattern, zone),
        [datetime(2026, m, 3, tzinfo=UTC) for m in range(1, 13)],
    )
    next_tick(cron, occurrences[0])  # read, once
    for moment in occurrences:
        with at_most(calls=500):
            next_tick(cron, moment)


MINUTES = st.sampled_from(["*", "*/7", "0", "15,45", "10-20", "1-59/29"])
HOURS = st.sampled_from(["*", "*/5", "0", "1", "2", "1-3", "2,23"])


@given(
    seconds=st.sampled_from(["", "0 ", "20 ", "*/30 "]),
    minute=MINUTES,
    hour=HOURS,
    offset=st.integers(0, 4_000_000),
)
def test_ticks_are_those_that_a_walk_of_the_minutes_finds(
    seconds: str, minute: str, hour: str, offset: int
) -> None:
    begin = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(seconds=offset)
    end = begin + timedelta(hours=26)  # a whole day, and the way into the next
    cron = Cron(f"{seconds}{minute} {hour} * * *")
    assert ticks_between(cron, begin, end) == [*filter(matcher(cron), walked(begin, end))]


@given(
    minute=MINUTES,
    hour=HOURS,
    change=st.sampled_from(
        [
            (BERLIN, "2026-03-29T01:00Z"),
            (BERLIN, "2026-10-25T01:00Z"),
            (NEW_YORK, "2026-03-08T07:00Z"),
            (NEW_YORK, "2026-11-01T06:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
            ("Africa/Cairo", "2026-04-23T22:00Z"),
            ("Africa/Cairo", "2026-10-29T21:00Z"),
            ("Antarctica/Troll", "2026-10-25T01:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00Z"),
        ]
    ),
    minutes=st.integers(-300, 300),
)
def test_over_a_change_no_tick_is_skipped_and_none_comes_twice(
    minute: str, hour: str, change: tuple[str, str], minutes: int
) -> None:
    zone, moment = ZoneInfo(change[0]), at(change[1])
    begin, end = moment + timedelta(minutes=minutes), moment + timedelta(hours=30)
    cron = Cron(f"{minute} {hour} * * *", change[0])
    if "*" in (minute[0], hour[0]):
        matches = matcher(cron)
        expected = [one for one in walked(begin, end, 60) if matches(one.astimezone(zone))]
    else:
        expected = [one for one in fixed(cron, moment, zone) if begin < one <= end]
    assert ticks_between(cron, begin, end) == expected


def fixed(cron: Cron, change: datetime, zone: ZoneInfo) -> list[datetime]:
    """Walk the minutes of the wall clock: a time in a gap is that of the change."""
    found, matches = set(), matcher(cron)
    wall = (change - timedelta(days=3)).replace(tzinfo=None)
    for _ in range(60 * 24 * 6):
        wall += timedelta(minutes=1)
        if matches(wall):
            local = wall.replace(tzinfo=zone)
            exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
            found.add(local.astimezone(UTC) if exists else change)
    return sorted(found)


def ticks_between(cron: Cron, begin: datetime, end: datetime) -> list[datetime]:
    """Give the ticks after `begin` and up to `end`; they must increase."""
    found, moment = [], begin
    while (following := next_tick(cron, moment)) is not None and following <= end:
        assert following > moment
        moment = following
        found.append(moment)
    return found


def walked(begin: datetime, end: datetime, seconds: int = 10) -> list[datetime]:
    """Give each so many seconds after `begin` and up to `end`."""
    first = int(begin.timestamp()) // seconds + 1
    last = int(end.timestamp()) // seconds
    return [datetime.fromtimestamp(n * seconds, UTC) for n in range(first, last + 1)]


def matcher(cron: Cron) -> Callable[[datetime], bool]:
    """Judge what a clock shows by seconds, minutes and hours of a pattern."""
    *second, minute, hour, _, _, _ = cron.cron_pattern.split()
    seconds = allowed(second[0] if second else "0", 60)
    minutes, hours = allowed(minute, 60), allowed(hour, 24)
    return lambda t: t.second in seconds and t.minute in minutes and t.hour in hours


@cache
def allowed(field: str, most: int) -> frozenset[int]:
    """Read one field of a pattern in the plainest way."""
    values: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low = 0 if span == "*" else int(first)
        high = most - 1 if span == "*" else int(last or first)
        values |= set(range(low, high + 1, int(step or 1)))
    return frozenset(values)
