"""Cron patterns as clocks on the wall show them: no zones, no daylight saving.

cronsim reads and steps them; here is what it leaves out: macros, and faults that name their place.
"""

import copy
from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Final, NamedTuple

from cronsim import CronSim, CronSimError

MACROS: Final[Mapping[str, str]] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_SECOND: Final = timedelta(seconds=1)
_ANY: Final = datetime(2026, 1, 1)  # noqa: DTZ001 # a place to begin, replaced before each step


class PatternFault(ValueError):
    """A text is no cron pattern, or one that never comes; the message says where and why."""


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # the first stands for `low`


_MONTHS: Final = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_DAYS: Final = "SUN MON TUE WED THU FRI SAT"
_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS.split())),
    _Field("day of week", 0, 7, tuple(_DAYS.split())),
)


class Pattern:
    """A cron pattern, read.

    Args:
        text: 5 fields, 6 with seconds first, or a macro; names and macros in any case.

    Raises:
        PatternFault: It is none, or there is no day on which it comes.
    """

    def __init__(self, text: str) -> None:
        fields = _expanded(text)
        parts = fields.upper().split()
        _check(parts)
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
    if not stripped.startswith("@"):
        return text
    fields = MACROS.get(stripped.lower())
    if fields is None:
        near = get_close_matches(stripped.lower(), MACROS, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(MACROS))}"
        raise PatternFault(f"'{stripped}' is unknown, {meant}")
    return fields


def _check(parts: list[str]) -> None:
    """Find what is wrong, field by field; last days (`L`) and nth weekdays are left to cronsim."""
    if len(parts) not in (5, 6):
        raise PatternFault(f"5 fields are expected, or 6 with seconds first, got {len(parts)}")
    for place, (field, part) in enumerate(zip(_FIELDS[-len(parts) :], parts, strict=True), 1):
        for term in part.split(","):
            wrong = _term_fault(field, term)
            if wrong is not None:
                raise PatternFault(f"field {place} ({field.name}): {wrong}")


def _term_fault(field: _Field, term: str) -> str | None:
    body, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        return f"'{term}': the step is expected to be a number above 0"
    if body == "*" or _is_special(field, body):
        return None
    first, dash, last = body.partition("-")
    values = [_value(field, name) for name in ([first, last] if dash else [first])]
    for name, value in zip((first, last), values, strict=False):
        if name == "?":
            return "'?' is not known here; for any day write `*`"
        if value is None:
            named = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
            return f"'{name}' is not in {field.low}-{field.high}{named}"
    if dash and (values[0] or 0) > (values[1] or 0):
        return f"'{body}' goes backwards; write it as two ranges with a comma"
    return None


def _value(field: _Field, text: str) -> int | None:
    if text in field.names:
        return field.names.index(text) + field.low
    if not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if field.low <= value <= field.high else None


def _is_special(field: _Field, body: str) -> bool:
    if field.name == "day of month":
        return body in ("L", "LW")
    return field.name == "day of week" and ("#" in body or body.endswith("L"))


def _leftover(text: str, parts: list[str]) -> str:
    """Say what only cronsim sees."""
    if text == "Bad day-of-month":
        return f"field {len(parts) - 2} (day of month): no month of it has that day"
    if text == "Bad day-of-week":
        return f"field {len(parts)} (day of week): '{parts[-1]}' is no day of the week"
    return text[:1].lower() + text[1:]
