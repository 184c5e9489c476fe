"""Filters of time. A moment is ISO text, in UTC where it names no zone, or epoch milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from lockstep.render.limits import Work
from lockstep.render.operators import bounded
from lockstep.render.values import MISSING, as_number

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MOMENT_CHARACTERS: Final = 64  # ISO 8601 with nanoseconds and an offset has 35; spaces besides
_MAIL_STEPS: Final = 16  # it is written in Python
_MOST_FORMAT: Final = 1000  # a directive of two characters may become ten
_DIRECTIVE: Final = re.compile(r"%([aAbBcdDeFGHIjmMpRSTuUVwWxXyYZzf%])")
"""What every platform knows and none makes long; other signs stay as they are."""


def moment(value: object) -> datetime | None:
    """Read a moment; None for what is none.

    Source: ISO 8601 as `datetime.fromisoformat` reads it.
    """
    try:
        if isinstance(value, str):
            if len(value) > _MOMENT_CHARACTERS:
                return None
            read = datetime.fromisoformat(value.strip())
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError):
        return None
    return None


def iso(_: Work, value: object) -> object:
    """Give ISO text in UTC with milliseconds; what is no moment passes through."""
    when = moment(value)
    return value if when is None else _iso(when)


def date(work: Work, value: object, fmt: object = "ISO") -> object:
    """Give a moment in a form; what is no moment passes through.

    Args:
        work: The account of the evaluation.
        value: The moment.
        fmt: `ISO`, `date`, `time`, `unix` (whole seconds, a number), `rfc2822`, or signs of
            strftime; everything is in UTC.

    Source: docs/LANGUAGE.md, templates and expressions.
    """
    when = moment(value)
    if when is None or not isinstance(fmt, str):
        return value
    match fmt:
        case "ISO" | "iso":
            return _iso(when)
        case "date":
            return when.date().isoformat()
        case "time":
            return when.time().isoformat("seconds")
        case "unix":
            return _milliseconds(when) // 1000
        case "rfc2822":
            work.tick(_MAIL_STEPS)
            return format_datetime(when)
        case _ if len(fmt) > _MOST_FORMAT:
            return value
    work.tick(8 * len(fmt))
    return _DIRECTIVE.sub(lambda sign: _written(when, sign[0]), fmt)


def minutes(_: Work, value: object) -> object:
    """Give minutes in milliseconds; what is no number passes through."""
    return _scaled(value, 60_000)


def hours(_: Work, value: object) -> object:
    """Give hours in milliseconds; what is no number passes through."""
    return _scaled(value, 3_600_000)


def days(_: Work, value: object) -> object:
    """Give days in milliseconds; what is no number passes through."""
    return _scaled(value, 86_400_000)


def duration_since(work: Work, value: object) -> object:
    """Give the milliseconds from a moment to `now` of the scope; missing if it is no moment.

    Where the scope has no `now`, such as outside of a run, it is the time of the evaluation.
    """
    when = moment(value)
    if when is None:
        return MISSING
    now = moment(work.scope.get("now")) or datetime.now(UTC)
    return _milliseconds(now) - _milliseconds(when)


def older_than(work: Work, value: object, ms: object) -> object:
    """Say whether a moment is more than so many milliseconds before `now`; false if it is none."""
    age, most = duration_since(work, value), as_number(ms)
    return isinstance(age, int) and most is not None and age > most


def _iso(when: datetime) -> str:
    return when.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _milliseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MILLISECOND


def _written(when: datetime, sign: str) -> str:
    # Not every platform fills the year up with zeros.
    return f"{when.year:04d}" if sign == "%Y" else when.strftime(sign)


def _scaled(value: object, factor: int) -> object:
    number = as_number(value)
    if number is None:
        return value
    made = number * factor
    return bounded(int(made) if isinstance(made, float) and made.is_integer() else made)
