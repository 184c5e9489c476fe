"""Filters of time: moments are ISO text or milliseconds since the epoch, in UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

from lockstep.render.values import as_number

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: object) -> datetime | None:
    """Read ISO text (UTC where it names no zone) or milliseconds; None for all else."""
    try:
        if isinstance(value, str):
            if len(value) > 64 or not value[:4].isdigit():
                return None
            read = datetime.fromisoformat(value.strip())
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError):
        return None
    return None


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)


def iso(value: object) -> object:
    """ISO text in UTC with milliseconds; what is no moment passes through."""
    time = moment(value)
    if time is None:
        return value
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date(value: object, form: object = "ISO") -> object:
    """A moment in a form: ISO, date, time, unix, rfc2822, or one of strftime."""
    time = moment(value)
    if time is None:
        return value
    if form == "unix":
        return _milliseconds(time) // 1000
    if form == "date":
        return time.date().isoformat()
    if form == "time":
        return time.strftime("%H:%M:%S")
    if form == "rfc2822":
        return format_datetime(time)
    if not isinstance(form, str) or form == "ISO" or len(form) > 256:
        return iso(value)
    try:
        return time.strftime(form)
    except ValueError:
        return value


def _scaled(value: object, factor: int) -> object:
    number = as_number(value)
    return value if number is None else number * factor


def minutes(value: object) -> object:
    """Minutes to milliseconds."""
    return _scaled(value, 60_000)


def hours(value: object) -> object:
    """Hours to milliseconds."""
    return _scaled(value, 3_600_000)


def days(value: object) -> object:
    """Days to milliseconds."""
    return _scaled(value, 86_400_000)


def duration_since(scope: Mapping[str, object], value: object) -> object:
    """Milliseconds from a moment to the `now` of the scope; null where either is none."""
    now, then = moment(scope.get("now")), moment(value)
    if now is None or then is None:
        return None
    return _milliseconds(now) - _milliseconds(then)


def older_than(scope: Mapping[str, object], value: object, limit: object = 0) -> object:
    """Whether a moment is more than so many milliseconds before the `now` of the scope."""
    age, number = duration_since(scope, value), as_number(limit)
    if not isinstance(age, int) or number is None:
        return False
    return age > number
