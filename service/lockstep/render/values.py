"""Values of expressions: truth, text, order. A missing value is a value that never raises."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from lockstep.model.errors import LimitExceeded, RenderError

NUMBER_CHARACTERS: Final = 400  # longer texts are no numbers


class Missing:
    """What is not there, at any depth."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "missing"


MISSING: Final = Missing()


def truth(value: object) -> bool:
    """False for missing, null, false, 0, NaN, empty text, list, object; true for all else."""
    if value is MISSING or value is None:
        return False
    if isinstance(value, float) and math.isnan(value):
        return False
    return bool(value)


def as_number(value: object) -> int | float | None:
    """Give a number, or the number that a text is; None for all else, booleans too."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return None if isinstance(value, float) and math.isnan(value) else value
    if not isinstance(value, str) or len(value) > NUMBER_CHARACTERS:
        return None
    text = value.strip()
    if "_" in text or not text.isascii():
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def equal(a: object, b: object) -> bool:
    """Equality as Python's; a missing value equals null and itself only."""
    if a is MISSING or b is MISSING:
        return (a is MISSING or a is None) and (b is MISSING or b is None)
    return a == b


def less(a: object, b: object, *, or_equal: bool = False) -> bool:
    """Order numbers, numeric text beside a number as its number, texts; all else is false."""
    if isinstance(a, str) and isinstance(b, str):
        return a <= b if or_equal else a < b
    if isinstance(a, str | int | float) and isinstance(b, str | int | float):
        x, y = as_number(a), as_number(b)
        if x is None or y is None:
            return False
        return x <= y if or_equal else x < y
    return False


def contains(container: object, item: object) -> bool:
    """Say whether a list has an item, an object a key, a text a part."""
    if isinstance(container, str):
        return isinstance(item, str) and item in container
    if isinstance(container, list | tuple):
        return any(equal(item, other) for other in container)
    if isinstance(container, Mapping):
        return isinstance(item, str) and item in container
    return False


def member(value: object, key: object) -> object:
    """Give the member of an object or the item of a list; nothing else has members."""
    if isinstance(value, Mapping):
        if isinstance(key, str):
            return value.get(key, MISSING)
        return MISSING
    if not isinstance(value, list | tuple) or type(key) is not int:
        return MISSING
    return value[key] if -len(value) <= key < len(value) else MISSING


def plain(value: object, limit: int, depth: int = 64) -> tuple[object, int]:
    """Make a value of JSON of what came out of an expression, and estimate its size in bytes.

    Raises:
        LimitExceeded: It would be larger than `limit`, or nested deeper than `depth`.
    """
    if value is MISSING or value is None:
        return None, 4
    if isinstance(value, str):
        return value, len(value)
    if isinstance(value, bool | int):
        return value, 8
    if isinstance(value, float):
        return (value if math.isfinite(value) else None), 8
    if depth <= 0:
        raise LimitExceeded("the value is nested too deep")
    size = 2
    if isinstance(value, Mapping):
        result = {}
        for name, inner in value.items():
            made, grown = plain(inner, limit - size, depth - 1)
            result[str(name)] = made
            size += grown + len(str(name)) + 4
            _check(size, limit)
        return result, size
    if isinstance(value, Sequence | set | frozenset):
        items = []
        for inner in value:
            made, grown = plain(inner, limit - size, depth - 1)
            items.append(made)
            size += grown + 1
            _check(size, limit)
        return items, size
    if isinstance(value, datetime):
        return value.isoformat(), 32
    raise RenderError(f"a filter gave {type(value).__name__}, which JSON does not have")


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise LimitExceeded("the value is larger than is allowed")


def _jsonable(value: object, limit: int) -> object:
    made, _ = plain(value, limit)
    return _integral(made)


def _integral(value: object) -> object:
    """Write floats that are integers as integers: JSON has one kind of number."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return int(value)
    if isinstance(value, dict):
        return {name: _integral(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_integral(inner) for inner in value]
    return value


def to_json(value: object, limit: int, indent: int = 0) -> str:
    """Give compact JSON, non-ASCII as is; or indented."""
    encoded = msgspec.json.encode(_jsonable(value, limit))
    if indent > 0:
        encoded = msgspec.json.format(encoded, indent=min(indent, 16))
    return encoded.decode()


def to_text(value: object, limit: int = 1 << 20) -> str:
    """Give the text of a value as a template writes it."""
    if isinstance(value, str):
        return value
    if value is MISSING or value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
    return to_json(value, limit)
