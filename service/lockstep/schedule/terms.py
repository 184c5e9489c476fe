"""The fields of a cron pattern and the terms in them: what is wrong, and what to write instead."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple


class PatternFault(ValueError):
    """A text is no cron pattern, or one that never comes; the message says where and why."""


class Field(NamedTuple):
    """A field: what it is called, its values, and their names, the first of them for `low`."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MONTHS: Final = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_DAYS: Final = "SUN MON TUE WED THU FRI SAT"
_DAY_OF_MONTH: Final = Field("day of month", 1, 31)
_DAY_OF_WEEK: Final = Field("day of week", 0, 7, tuple(_DAYS.split()))
_FIELDS: Final = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    _DAY_OF_MONTH,
    Field("month", 1, 12, tuple(_MONTHS.split())),
    _DAY_OF_WEEK,
)
_OF_A_DAY: Final = _FIELDS[:3]
_LONGER: Final = ", or for a longer time take the trigger `automation.interval`"
_NO_STEP: Final = "a step does not go with it"
_SUNDAY: Final = 7  # beside 0, as in every cron
_MOST_OF_A_DAY: Final = 5  # no month has a day of the week more often
_NEAREST: Final = re.compile(r"([0-9]+)W")
_BEFORE_LAST: Final = re.compile(r"L-[0-9]+W?")


def faults(parts: Sequence[str]) -> Iterator[str]:
    """Give what is wrong with the fields of a pattern, each with its place."""
    if len(parts) not in (5, 6):
        year = _without_year(parts) if len(parts) == 7 else ""
        yield f"5 fields are expected, or 6 with seconds first, got {len(parts)}{year}"
        return
    told = set[tuple[int, str]]()
    for place, field, term in _terms(parts):
        if (place, term) in told:
            continue
        told.add((place, term))
        wrong = _fault(field, term)
        if wrong is not None:
            counted = _counted(parts[-1]) if "?" in term else ""
            yield f"field {place} ({field.name}): {wrong}{counted}"


def _without_year(parts: Sequence[str]) -> str:
    """Say what to write for fields with a year behind them."""
    own = [part.replace("?", "*") for part in parts[:6]]
    hint = "leave the last one out" if any(faults(own)) else f"write `{' '.join(own)}`"
    return f"; there is no field for the year, {hint}{_counted(parts[5])}"


def _counted(days: str) -> str:
    """Say how days of the week are counted, where who writes `?` may count from 1, Sunday."""
    return "; 0 is Sunday here, 1 Monday" if re.search(r"(?<![#/])[1-7]", days) else ""


def vain_steps(parts: Sequence[str]) -> Iterator[str]:
    """Give the steps that leave one value of their range: they say something else than is meant.

    Such patterns were taken once, and tick on where they are stored.
    """
    for place, field, term in _terms(parts):
        body, slash, step = term.partition("/")
        if slash and body in ("L", "LW"):
            yield f"field {place} ({field.name}): '{term}': {_NO_STEP}, write `{body}`"
        bounds = _bounds(field, body)
        if not slash or bounds is None:
            continue
        low, high = bounds
        size = high - low
        if field is _DAY_OF_WEEK and (low, high) == (0, _SUNDAY):
            size -= 1  # it is Sunday at both ends
        if int(step) > size:
            more = _LONGER if body == "*" and field in _OF_A_DAY else ""
            reason = f"the step is larger than its range {low}-{low + size}, write `{low}`{more}"
            yield f"field {place} ({field.name}): '{term}': {reason}"


def plain(parts: Sequence[str]) -> str:
    """Write a pattern that was checked as cronsim reads it: a week that ends on Sunday, `SUNL`."""
    fields = list(parts)
    fields[-1] = ",".join(_plain_day(term) for term in parts[-1].split(","))
    return " ".join(fields)


def _plain_day(term: str) -> str:
    body, slash, step = term.partition("/")
    if body.endswith("L"):
        return f"{_value(_DAY_OF_WEEK, body[:-1])}L"
    first, dash, _ = body.partition("-")
    bounds = _bounds(_DAY_OF_WEEK, body) if dash else None
    return f"{first}-{bounds[1]}{slash}{step}" if bounds else term


def _terms(parts: Sequence[str]) -> Iterator[tuple[int, Field, str]]:
    for place, (field, part) in enumerate(zip(_FIELDS[-len(parts) :], parts, strict=True), 1):
        for term in part.split(","):
            yield place, field, term


def _bounds(field: Field, body: str) -> tuple[int, int] | None:
    """Give the first and the last value of a range; a value alone goes on to the end."""
    if body == "*":
        return field.low, field.high
    first, dash, last = body.partition("-")
    low, high = _value(field, first), _value(field, last) if dash else field.high
    if low is None or high is None:
        return None
    return low, _SUNDAY if field is _DAY_OF_WEEK and high == 0 and low > 0 else high


def _fault(field: Field, term: str) -> str | None:
    body, slash, step = term.partition("/")
    if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
        return f"'{term}': the step is expected to be a number above 0"
    if body == "*":
        return None
    if not term:
        return "there is nothing between two commas, or before or behind one"
    if field is _DAY_OF_MONTH and (body in ("L", "LW") or _of_quartz(body)):
        return _of_quartz(body)
    if "?" in body:
        return f"'{term}': `?` is not known here, write `{term.replace('?', '*')}` for any"
    if field is _DAY_OF_WEEK and ("#" in body or body.endswith("L")):
        return _special_day(term)
    first, dash, last = body.partition("-")
    for name in [first, last] if dash else [first]:
        if _value(field, name) is None:
            return _stranger(field, name)
    bounds = _bounds(field, body)
    if dash and bounds and bounds[0] > bounds[1]:
        forward = _forward(field, first, last, int(step) if slash else 1)
        return f"'{term}' goes backwards, write `{forward}`"
    return None


def _of_quartz(body: str) -> str | None:
    """Say what to write for a day of the month that other crons know."""
    if body in ("W", "WL"):
        hint = "`LW` for the last weekday of the month, `MON-FRI` as the day of week for each"
        return f"'{body}' is no day of the month, write {hint}"
    if nearest := _NEAREST.fullmatch(body):
        day = _value(_DAY_OF_MONTH, nearest[1])
        itself = f"`{day}` for the day itself, " if day else ""
        hint = f"{itself}`LW` for the last weekday of the month"
        return f"'{body}': the nearest weekday is not known here, write {hint}"
    if _BEFORE_LAST.fullmatch(body):
        hint = "`L` for the last day of the month, or the numbers of the days"
        return f"'{body}': days before the last are not known here, write {hint}"
    return None


def _special_day(term: str) -> str | None:
    """Judge the last or the nth of a day in the month."""
    body, slash, _ = term.partition("/")
    day, sign, nth = body.partition("#")
    if not sign:
        day = body[:-1]
    if not day:
        hint = "`FRIL` for the last Friday of the month, `SAT` for each Saturday"
        return f"'{body}' is no day of the week, write {hint}" if not sign else _stranger_day(day)
    if _value(_DAY_OF_WEEK, day) is None:
        return _stranger_day(day)
    if sign and nth == "L":
        return f"'{body}': for the last of the month write `{day}L`"
    if sign and not (len(nth) == 1 and nth in "12345"):
        return f"'{body}': after `#` a number from 1 to {_MOST_OF_A_DAY} is expected"
    if slash:
        return f"'{term}': {_NO_STEP}, write `{body}`"
    return None


def _stranger_day(name: str) -> str:
    return _stranger(_DAY_OF_WEEK, name)


def _stranger(field: Field, name: str) -> str:
    named = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
    meant = ""
    if len(name) > 2 and name[:3] in field.names:
        meant = f", write `{name[:3]}`"
    elif name == "H":
        meant = ", write a number, or `*` for any"
    return f"'{name}' is not in {field.low}-{field.high}{named}{meant}"


def _forward(field: Field, first: str, last: str, step: int) -> str:
    """Write a range that goes backwards as what it means: to the end, and on from the beginning."""
    begin, end = _value(field, first) or 0, _value(field, last) or 0
    low = 1 if field is _DAY_OF_WEEK else field.low  # the week ends on its Sunday
    if step > 1:
        size = field.high - low + 1
        values = range(begin, end + size + 1, step)
        return ",".join(str((value - low) % size + low) for value in values)
    named = first in field.names
    return ",".join(
        _spelled(field, one, other, named=named) for one, other in ((begin, field.high), (low, end))
    )


def _spelled(field: Field, first: int, last: int, *, named: bool) -> str:
    words = [
        field.names[(value - field.low) % len(field.names)] if named else str(value)
        for value in (first, last)
    ]
    return words[0] if first == last else "-".join(words)


def _value(field: Field, text: str) -> int | None:
    if text in field.names:
        return field.names.index(text) + field.low
    if not (text.isascii() and text.isdigit()):
        return None
    value = int(text)
    return value if field.low <= value <= field.high else None
