"""Values of JSON, and one more: what is missing. Their truth, their numbers, their text."""

import math
import re
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Final, TypeAlias, final

import msgspec

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep_schemas.depth import MAX_DEPTH

VALUE_BYTES: Final = 1024 * 1024  # as much as the scope of a run holds
SCALARS: Final = frozenset({str, int, float, bool, NoneType})

_AS_IT_IS: Final = SCALARS - {float}

_DEEPEST: Final = 2 * MAX_DEPTH
"""Levels of lists and objects in a value; deeper ones would exhaust the stack."""

_INTEGER_TEXT_BITS: Final = 14_000
"""Python writes integers of up to 4,300 digits."""

_PLAIN_FLOAT: Final = 1e16
"""From here on `repr` writes an exponent instead of `.0`."""

_NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+(?P<point>\.[0-9]*)?|(?P<bare>\.[0-9]+))"
                            r"(?P<exponent>[eE][+-]?[0-9]+)?\s*")  # fmt: skip
_NUMBER_CHARACTERS: Final = 400  # the largest float has 309 digits when it is written out


_SOME: Final = 256  # items between two looks at what an evaluation may still cost

Tick: TypeAlias = Callable[[int], None]


def free(_: int) -> None:
    """Count nothing: for what belongs to no evaluation."""


@final
class Missing:
    """The type of `MISSING`: what is not there, at any depth."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


def truth(value: object) -> bool:
    """False for missing, null, false, 0, NaN, empty text, list, object; true for all else.

    Source: docs/LANGUAGE.md, templates and expressions.
    """
    if type(value) is float:
        return value == value and value != 0  # NaN is not equal to itself
    return bool(value)


def as_number(value: object) -> int | float | None:
    """Give a number, or the number that a text is; None for all else.

    A boolean is no number; neither is a NaN, an infinite one, or a text that says so.
    """
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value) if len(value) <= _NUMBER_CHARACTERS else None
        if found is None:
            return None
        if found.lastgroup is None:
            return int(value)
        value = float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def kind(value: object) -> str:
    """Name the type of a value for people."""
    match value:
        case None:
            return "null"
        case Missing():
            return "a missing value"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case _:
            return f"a {type(value).__name__}"


def measure(value: object, most: int, indent: int = 0, tick: Tick = free) -> int:
    """Estimate the bytes of a value as JSON, level by level, and stop above `most`.

    A list may hold another one a thousand times over, and that one the next: written out, such a
    value has no end. So nothing is written out before it has been measured. `tick` is told of
    steps as they are done.

    Raises:
        LimitExceeded: It is nested too deep.
    """
    size, depth, level = 0, 0, [value]
    while level and size <= most:
        if depth > _DEEPEST:
            raise LimitExceeded(f"a value is nested deeper than {_DEEPEST}")
        below: list[object] = []
        size += depth * indent * len(level)
        for number, item in enumerate(level):
            if not number % _SOME:
                tick(min(len(level) - number, _SOME))
            if type(item) is list or isinstance(item, tuple):
                size += 1 + len(item)
                below.extend(item if size <= most else ())
            elif type(item) in SCALARS:
                size += _characters(item)
            elif isinstance(item, Mapping):
                size += (
                    1 + 4 * len(item) + sum([len(name) for name in item if isinstance(name, str)])
                )
                below.extend(item.values() if size <= most else ())
            if size > most:
                break
        level, depth = below, depth + 1
    return size


def _characters(value: object) -> int:
    if isinstance(value, str):
        return 2 + (len(value) if value.isascii() else 2 * len(value))
    return 1 + (value.bit_length() >> 2) if isinstance(value, int) else 3


def to_json(value: object, most: int = VALUE_BYTES, indent: int = 0, tick: Tick = free) -> str:
    """Give JSON, non-ASCII as it is and whole numbers without `.0`; JSON has no NaN: null.

    Args:
        value: What to write.
        most: Bytes that it may have.
        indent: Spaces per level; 0 writes all on one line without spaces.
        tick: Told of steps before they are done.

    Raises:
        LimitExceeded: It is larger, or nested too deep.
        RenderError: There is something in it that JSON does not have.
    """
    size = measure(value, most, indent, tick)
    if size > most:
        raise LimitExceeded(f"a value has more than {most} bytes as JSON")
    tick(size >> 3)
    try:
        encoded = msgspec.json.encode(_plain(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise RenderError(f"a value cannot be written as JSON: {error}") from error
    if indent:
        encoded = msgspec.json.format(encoded, indent=indent)
    if len(encoded) > most:
        raise LimitExceeded(f"a value has more than {most} bytes as JSON")
    return encoded.decode()


def to_text(value: object, most: int = VALUE_BYTES, tick: Tick = free) -> str:
    """Give the text of a value, as a template writes it.

    Missing, null and NaN are empty; lists and objects are compact JSON.

    Args:
        value: What to write.
        most: Bytes that a list or an object may have.
        tick: Told of steps before they are done.

    Raises:
        LimitExceeded: A list or an object is larger, or an integer has more than 4,200 digits.
        RenderError: It is no value of JSON.

    Source: docs/LANGUAGE.md, templates and expressions.
    """
    if isinstance(value, str):
        return value
    if value is None or value is MISSING:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value.bit_length() > _INTEGER_TEXT_BITS:
            raise LimitExceeded("an integer has too many digits")
        return str(value)
    if isinstance(value, float):
        if value.is_integer() and abs(value) < _PLAIN_FLOAT:
            return str(int(value))
        return repr(value) if math.isfinite(value) else ""
    return to_json(value, most, 0, tick)


def _plain(value: object) -> object:
    """Make what the encoder shall see; the depth has been measured."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _PLAIN_FLOAT else value
    if isinstance(value, list | tuple):
        return [item if type(item) in _AS_IT_IS else _plain(item) for item in value]
    if isinstance(value, Mapping):
        return {
            name: item if type(item) in _AS_IT_IS else _plain(item) for name, item in value.items()
        }
    return None if value is MISSING else value
