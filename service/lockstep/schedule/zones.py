"""From the wall clock of a zone to the time that passes, over daylight saving.

Times without zone are those of the wall; moments are in UTC. Patterns have whole seconds, and so
have the changes of zones.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from lockstep.schedule.pattern import Pattern

SECOND: Final = timedelta(seconds=1)
_OF_THE_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})


@cache
def zone_names() -> frozenset[str]:
    """Give the zones that there are; read once, from the files of the system or of `tzdata`."""
    return frozenset(available_timezones()) - _OF_THE_MACHINE


def fixed_after(pattern: Pattern, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Give the next tick of a pattern with fixed times, strictly after a moment.

    A time that does not exist comes at the first moment after the gap, once for all that are in
    it; one that occurs twice comes the first time only.
    """
    local = after.astimezone(zone)
    wall = _wall(local)
    if local.fold:  # the clock shows again what it has shown: nothing comes before that ends
        first, second = _moments(wall, zone)
        wall = _wall(_turn(first, second, zone).astimezone(zone)) + (second - first) - SECOND
    found = pattern.following(wall)
    if found is None:
        return None
    first, second = _moments(found, zone)
    return first if first <= second else _turn(second, first, zone)


def flowing_after(pattern: Pattern, zone: ZoneInfo, after: datetime) -> datetime | None:
    """Give the next tick of a pattern that follows real time, strictly after a moment.

    It comes whenever the clock shows a time of it: twice where that occurs twice, never in a gap.
    """
    local = after.astimezone(zone)
    wall = _wall(local)
    first, second = _moments(wall, zone)
    found = pattern.following(wall)
    if first < second and not local.fold:
        turn = _turn(first, second, zone)
        if found is None or _moments(found, zone)[0] >= turn:  # none before the clock goes back
            after, found = _from(turn, pattern, zone)
    while found is not None:
        first, second = _moments(found, zone)
        if first <= second:
            return first if first > after else second
        after, found = _from(_turn(second, first, zone), pattern, zone)
    return None


def earliest(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give a moment that is not after any tick which a time on the wall makes."""
    return min(_moments(wall, zone))


def _from(turn: datetime, pattern: Pattern, zone: ZoneInfo) -> tuple[datetime, datetime | None]:
    """Begin anew where the clock was changed; what it shows then may match already."""
    return turn - SECOND, pattern.following(_wall(turn.astimezone(zone)) - SECOND)


def _wall(local: datetime) -> datetime:
    return local.replace(tzinfo=None, fold=0)


def _moments(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Read a time by the offset before a change, and by that after it.

    The same: it occurs once. The first is earlier: it occurs twice. The first is later: it does
    not exist, and the change is between the two. Source: PEP 495.
    """
    local = wall.replace(tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _turn(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Give the moment of the change between two moments: the first with the new offset."""
    offset = before.astimezone(zone).utcoffset()
    low, high = 0, int((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        changed = (before + middle * SECOND).astimezone(zone).utcoffset() != offset
        low, high = (low, middle) if changed else (middle, high)
    return before + high * SECOND
