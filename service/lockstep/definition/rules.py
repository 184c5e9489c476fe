"""Rules of the language that no single field can say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from lockstep_schemas.actions import DelayFor, Loop
from lockstep_schemas.base import Json
from lockstep_schemas.conditions import NumericBounds, TimeWindow
from lockstep_schemas.definition import Hold, Trigger
from lockstep_schemas.durations import (
    LONGEST_AGE_SECONDS,
    LONGEST_LOOK_BACK_SECONDS,
    UNIT_SECONDS,
    LookBack,
    MaxAge,
)

Fault = tuple[tuple[str | int, ...], str]


def across(kind: type[msgspec.Struct], raw: Mapping[str, Json]) -> Iterator[Fault]:
    """Give the faults of an object that stand between its fields: path inside it, message."""
    if kind is DelayFor:
        yield from _one_of(raw, ("seconds", "template"))
    elif kind is Hold:
        yield from _one_of(raw, ("seconds", "minutes", "hours", "template"))
    elif kind is MaxAge:
        yield from _duration(raw, LONGEST_AGE_SECONDS, ", or `template` alone,")
    elif kind is LookBack:
        yield from _duration(raw, LONGEST_LOOK_BACK_SECONDS)
    elif kind is Loop:
        yield from _one_of(raw, ("count", "for_each", "while", "until"))
        if raw.get("max_iterations") is not None and not _present(raw, ("while", "until")):
            yield ("max_iterations",), "`max_iterations` goes with `while` and `until` only"
    elif kind is NumericBounds and not _present(raw, ("above", "below")):
        yield (), "at least one of `above`, `below` is expected"
    elif kind is TimeWindow:
        yield from _time(raw)
    elif kind is Trigger and not _present(raw, ("for",)):
        cancel = raw.get("cancel_filter")
        if cancel is not None and not (isinstance(cancel, str) and not cancel.strip()):
            yield ("cancel_filter",), "`cancel_filter` goes beside `for` only"


def _present(raw: Mapping[str, Json], names: Sequence[str]) -> list[str]:
    return [name for name in names if raw.get(name) is not None]


def _one_of(raw: Mapping[str, Json], names: Sequence[str]) -> Iterator[Fault]:
    found = _present(raw, names)
    if len(found) != 1:
        given = _names(found, " and ") or "none"
        yield (), f"exactly one of {_names(names)} is expected, got {given}"


def _duration(raw: Mapping[str, Json], most_seconds: int, alone: str = "") -> Iterator[Fault]:
    """Judge numbers that add up, and, where there may be one, the template in their place."""
    units = _present(raw, tuple(UNIT_SECONDS))
    template = alone and _present(raw, ("template",))
    if units and template:
        yield (), f"`template` stands alone, got it beside {_names(units, ' and ')}"
    elif not units and not template:
        yield (), f"some of {_names(UNIT_SECONDS)}{alone} is expected, got none"
    numbers = [(raw[unit], UNIT_SECONDS[unit]) for unit in units]
    if all(isinstance(number, int | float) for number, _ in numbers):
        total = sum(number * seconds for number, seconds in numbers)
        if len(units) > 1 and total > most_seconds:
            yield (), f"more than {most_seconds} seconds together: {_names(units, ' and ')}"


def _names(names: Iterable[str], between: str = ", ") -> str:
    return between.join(f"`{name}`" for name in names)


def _time(raw: Mapping[str, Json]) -> Iterator[Fault]:
    if not _present(raw, ("after", "before", "weekday")):
        yield (), "at least one of `after`, `before`, `weekday` is expected"
    zone = raw.get("timezone")
    if isinstance(zone, str):
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield ("timezone",), f"unknown time zone '{zone[:60]}'"
