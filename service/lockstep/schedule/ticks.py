"""When schedules tick. Pure: time comes in as aware moments, ticks go out in UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never
from zoneinfo import ZoneInfo

import msgspec

from lockstep.schedule.configs import Cron, Edge, Interval, Schedule
from lockstep.schedule.pattern import read
from lockstep.schedule.zones import SECOND, earliest, fixed_after, flowing_after

MISSED: Final = timedelta(seconds=30)  # a tick that is so late, or later, was missed
MOST: Final = 1000  # missed ticks that are made up for; of more, the newest

_DAY: Final = timedelta(days=1)  # no clock is changed by more


class Ticks(msgspec.Struct, frozen=True):
    """What fires now, oldest first, and when to look again; `next_due` is None for never."""

    fire: list[datetime]
    next_due: datetime | None
    last_value: bool | None = None  # of a template: to be kept for the next time


def next_tick(cron: Cron, after: datetime) -> datetime | None:
    """Give the first tick strictly after a moment; None if there is none within fifty years.

    Raises:
        PatternFault: The pattern is none.
        ZoneInfoNotFoundError: The zone is none; it is a KeyError.
    """
    pattern, zone = read(cron.cron_pattern), ZoneInfo(cron.timezone)
    whole = after.astimezone(UTC).replace(microsecond=0)
    following = fixed_after if pattern.is_fixed else flowing_after
    return following(pattern, zone, whole)


def first_due(schedule: Schedule, now: datetime) -> datetime | None:
    """Say when a schedule that is armed now is due first: never at once.

    An interval and a template after one interval, cron at its next tick. A template that is true
    then fires: before its first value it counts as false.
    """
    if isinstance(schedule, Cron):
        return next_tick(schedule, now)
    return now + timedelta(seconds=schedule.interval_seconds)


def ticks(
    schedule: Schedule,
    due_at: datetime,
    now: datetime,
    last_value: bool | None,
    holds: Callable[[str, datetime], bool],
) -> Ticks:
    """Say what fires of a schedule that was due at a time, maybe long ago, and what follows.

    Args:
        schedule: What ticks.
        due_at: When it was to tick; taken for a tick of it.
        now: The time. Where the clock has gone back behind `due_at`, nothing fires and it stays
            due then.
        last_value: Of a template: what it was when last judged; None before.
        holds: Judges an expression at a moment; it gives false where that fails.
    """
    if now < due_at:
        return Ticks([], due_at, last_value)
    match schedule:
        case Cron():
            return _cron(schedule, due_at, now)
        case Interval(interval_seconds=seconds):
            return Ticks([due_at], _beat(due_at, now, seconds))
        case Edge(interval_seconds=seconds):
            value = holds(schedule.value_template, now)
            fire = [now] if value and not last_value else []
            return Ticks(fire, _beat(due_at, now, seconds), value)
        case _:
            assert_never(schedule)


def _cron(cron: Cron, due_at: datetime, now: datetime) -> Ticks:
    due = _newest(cron, due_at, now, MOST if cron.missed == "all" else 1)
    following = next_tick(cron, now)
    if cron.missed == "skip":
        due = [tick for tick in due if now - tick < MISSED]
    return Ticks(due, following)


def _newest(cron: Cron, due_at: datetime, now: datetime, most: int) -> list[datetime]:
    """Give the newest ticks from `due_at` to `now`, oldest first.

    Found from `now` backwards: an outage of a year of a pattern that ticks each second must not
    be walked from its beginning.
    """
    count = most
    while True:
        begin = _back(cron, due_at, now, count)
        found = [due_at] if begin is None else []
        following = next_tick(cron, due_at if begin is None else begin)
        while following is not None and following <= now:
            found.append(following)
            following = next_tick(cron, following)
        if begin is None or len(found) >= most:
            return found[-most:]
        count *= 2  # some of them were in a gap


def _back(cron: Cron, due_at: datetime, now: datetime, count: int) -> datetime | None:
    """Give a moment before about the last `count` ticks; None where that is before `due_at`."""
    pattern, zone = read(cron.cron_pattern), ZoneInfo(cron.timezone)
    oldest = due_at.astimezone(zone).replace(tzinfo=None) - _DAY
    wall: datetime | None = now.astimezone(zone).replace(tzinfo=None) + SECOND
    for _ in range(count):
        wall = None if wall is None else pattern.preceding(wall)
        if wall is None or wall < oldest:
            return None
    begin = None if wall is None else earliest(wall, zone) - SECOND
    return None if begin is None or begin <= due_at else begin


def _beat(due_at: datetime, now: datetime, seconds: int) -> datetime:
    """Give the first beat of an interval after a moment: nothing is caught up."""
    passed = (now - due_at) // timedelta(seconds=seconds)
    return due_at + timedelta(seconds=seconds) * (passed + 1)
