"""Cron patterns as clocks on the wall show them: no zones, no daylight saving.

cronsim reads and steps them; here is what it leaves out: macros. What is wrong says `terms`.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from cronsim import CronSim, CronSimError

from lockstep.schedule.terms import PatternFault, faults, plain, vain_steps

MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_CALL: Final = re.compile(r"(cron|rate)\((.*)\)", re.IGNORECASE)  # as Amazon's schedules have it
_ZONE: Final = re.compile(r"(?:CRON_)?TZ=(\S+)\s*(.*)", re.IGNORECASE)  # before the fields, in Go
_INTERVAL: Final = "an interval is the trigger `automation.interval`, with `intervalSeconds`"
_SECOND: Final = timedelta(seconds=1)
_ANY: Final = datetime(2026, 1, 1)  # noqa: DTZ001 # a place to begin, replaced before each step


class Pattern:
    """A cron pattern, read.

    Args:
        text: 5 fields, 6 with seconds first, or a macro; names and macros in any case.

    Raises:
        PatternFault: It is none, or there is no day on which it comes.
    """

    def __init__(self, text: str) -> None:
        parts = _expanded(text).upper().split()
        for wrong in faults(parts):
            raise PatternFault(wrong)
        fields = plain(parts)
        try:
            self._onward = CronSim(fields, _ANY)
            self._backward = CronSim(fields, _ANY, reverse=True)
        except CronSimError as error:
            raise PatternFault(_leftover(str(error), parts)) from error
        minute, hour = parts[-5], parts[-4]
        # As cron(8) of Debian: what begins with a star in either runs by the time that passes.
        self.is_fixed = not minute.startswith("*") and not hour.startswith("*")
        if self.following(_ANY) is None:
            raise PatternFault("it never comes")

    def following(self, wall: datetime) -> datetime | None:
        """Give the first match after a time without zone; None if fifty years have none."""
        return _step(self._onward, wall.replace(microsecond=0))

    def preceding(self, wall: datetime) -> datetime | None:
        """Give the last match before a time without zone; None if fifty years have none."""
        whole = wall.replace(microsecond=0)
        return _step(self._backward, whole if whole == wall else whole + _SECOND)


def judged(text: str) -> Sequence[str]:
    """Say all that is wrong with a pattern that is about to be stored."""
    try:
        parts = _expanded(text).upper().split()
        if wrong := [*faults(parts)]:
            return wrong
        read(text)
    except PatternFault as fault:
        return [str(fault)]
    return [*vain_steps(parts)]


@lru_cache(maxsize=1024)
def read(text: str) -> Pattern:
    """Give a pattern; those that were read lately are kept.

    Raises:
        PatternFault: See `Pattern`.
    """
    return Pattern(text)


def _step(pattern: CronSim, wall: datetime) -> datetime | None:
    walker = copy.copy(pattern)  # reading the text again would be most of the work
    walker.dt = wall.replace(fold=0)
    try:
        return next(walker)
    except StopIteration:
        return None


def _expanded(text: str) -> str:
    """Give the fields that a macro stands for; other texts as they are."""
    stripped = text.strip()
    if called := _CALL.fullmatch(stripped):
        name = called[1].lower()
        meant = _of_amazon(called[2]) if name == "cron" else _INTERVAL
        raise PatternFault(f"'{name}(...)' is not known here, {meant}")
    if zoned := _ZONE.fullmatch(stripped):
        own = f"`{zoned[2]}`" if zoned[2] else "the fields"
        meant = f"write {own}, and `timezone: {zoned[1]}` beside it"
        raise PatternFault(f"a time zone does not stand in the pattern, {meant}")
    if not stripped.startswith("@"):
        return text
    fields = MACROS.get(stripped.lower())
    if fields is None and stripped.lower().startswith("@every"):
        raise PatternFault(f"'{stripped}' is unknown, {_INTERVAL}")
    if fields is None:
        near = get_close_matches(stripped.lower(), MACROS, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(MACROS))}"
        raise PatternFault(f"'{stripped}' is unknown, {meant}")
    return fields


def _of_amazon(text: str) -> str:
    """Say what to write for five fields and a year, whose days of the week begin with 1, Sunday."""
    parts = text.upper().split()
    if len(parts) != 6:
        return "write its fields alone"
    days = re.sub(r"(?<![#/0-9])[1-7]", lambda day: str(int(day[0]) - 1), parts[4])
    own = " ".join([*parts[:4], days]).replace("?", "*")
    return "write its fields alone" if judged(own) else f"write `{own}`"


def _leftover(text: str, parts: list[str]) -> str:
    """Say what only cronsim sees."""
    if text == "Bad day-of-month":
        return f"field {len(parts) - 2} (day of month): no month of it has that day"
    if text == "Bad day-of-week":
        return f"field {len(parts)} (day of week): '{parts[-1]}' is no day of the week"
    return text[:1].lower() + text[1:]
