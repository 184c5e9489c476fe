"""Times and numbers as other languages write them: in seconds, or as templates."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from lockstep_schemas.base import Json
from lockstep_schemas.durations import LONGEST_AGE_SECONDS, LONGEST_LOOK_BACK_SECONDS

PLACES: Final = {  # where a time may stand, and its bounds in seconds
    "DelayFor": ("delay", 0, 86_400),
    "Hold": ("for", 1, 2_592_000),
    "MaxAge": ("max_age", 1, LONGEST_AGE_SECONDS),
    "LookBack": ("lookback", 1, LONGEST_LOOK_BACK_SECONDS),
}
_LONGEST_DELAY: Final = 2_592_000  # seconds, of a template
_WHOLE: Final = ("delay", "for")  # take whole seconds
_BRACED: Final = re.compile(r"\{\{\s*([^{}]*[^{}\s])\s*\}\}")

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNIT_NAMES: Final = {
    "milliseconds": 0.001, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400
}  # fmt: skip
_CLOCK: Final = re.compile(r"(?:([0-9]{1,3}):)?([0-9]{1,2}):([0-9]{2})")
_ISO: Final = re.compile(r"P(?:([0-9]+)D)?(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?)?")
_WORDS: Final = re.compile(r"([0-9]+)\s*([smhd])[a-z]*")


def units(raw: Mapping[str, Json]) -> float | int | None:
    """Add up the numbers of several units."""
    total = 0.0
    for name, number in raw.items():
        if (
            name not in _UNIT_NAMES
            or isinstance(number, bool)
            or not isinstance(number, int | float)
        ):
            return None
        total += number * _UNIT_NAMES[name]
    return int(total) if total.is_integer() else round(total, 3)


def seconds(raw: Json) -> float | int | None:
    """Read a time as other languages write it."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, dict) and raw:
        return units(raw)
    if not isinstance(raw, str):
        return None
    if clock := _CLOCK.fullmatch(raw):
        hours, minutes, rest = (int(part or 0) for part in clock.groups())
        if clock[1] is None:  # HH:MM
            hours, minutes, rest = minutes, rest, 0
        return hours * 3600 + minutes * 60 + rest
    if (iso := _ISO.fullmatch(raw)) and any(iso.groups()):
        numbers = zip(iso.groups(), (86_400, 3600, 60, 1), strict=True)
        return sum(int(part or 0) * unit for part, unit in numbers)
    if words := _WORDS.fullmatch(raw.lower()):
        return int(words[1]) * _UNITS[words[2]]
    return None


def written(wanted: str, raw: Json) -> str | None:
    """Say what to write for a time; nothing where it is out of bounds, however it is written."""
    name, least, most = PLACES[wanted]
    if name == "delay" and (bare := _bare(raw)):
        return f"write `delay: {{template: {msgspec.json.encode(bare).decode()}}}`"
    given = seconds(raw)
    if given is None or not least <= given <= _LONGEST_DELAY:
        return None
    if given <= most and (isinstance(given, int) or name not in _WHOLE):
        return f"write `{name}: {{seconds: {given}}}`"
    return f'write `delay: {{template: "{given}"}}`' if name == "delay" else None


def templated(raw: str, name: str | int) -> str | None:
    """Say what to write for a template where a number is expected, under a key."""
    bare = _bare(raw)
    if bare is None:
        return None
    if name in ("seconds", "minutes", "hours", "days"):
        return f"write `template: {bare}` in place of `{name}`"
    if name == "count":
        return f"write `while: repeat.index < ({bare})` in place of `count`"
    return "leave the braces out: nothing is rendered here"


def _bare(raw: Json) -> str | None:
    """Give the expression of a text that is nothing but one in braces."""
    found = _BRACED.fullmatch(raw.strip()) if isinstance(raw, str) else None
    if found is None:
        return None
    # Else `lockstep apply`, which reads definitions, would take a third longer.
    from lockstep.render import native  # noqa: PLC0415

    return native(found[1])
