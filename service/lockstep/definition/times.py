"""Times as other languages write them, in seconds."""

import re
from collections.abc import Mapping
from typing import Final

from lockstep_schemas.base import Json

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
