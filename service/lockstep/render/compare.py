"""Equality, order and membership. None of them raises on a type."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from lockstep.render.limits import Work
from lockstep.render.values import MISSING, SCALARS, to_text

_KEY_BITS: Final = 512  # larger integers take long to write, and are no keys of anything
_SAME: Final = 10
"""A power of two: so many characters of two texts are compared in a step."""

Comparison = Callable[[Work, object, object], bool]


def equal(work: Work, a: object, b: object) -> bool:
    """Say whether two values are equal as Python has it; missing and null are equal.

    Raises:
        LimitExceeded: Two lists or objects are too large to be compared.
    """
    if a is MISSING:
        a = None
    if b is MISSING:
        b = None
    if type(a) is str:
        if type(b) is str and len(a) == len(b):
            work.tick(len(a) >> _SAME)
    elif type(a) not in SCALARS and type(b) not in SCALARS:
        work.weigh(a)
        work.weigh(b)
    return bool(a == b)


def less(work: Work, a: object, b: object, *, or_equal: bool = False) -> bool:
    """Say whether one value comes before another; false for what has no order.

    Numbers, texts, booleans and lists are ordered among themselves, a number and a numeric text
    as numbers. Missing and null come before nothing, and nothing before them.

    Raises:
        LimitExceeded: Two lists are too large to be compared.

    Source: docs/LANGUAGE.md, templates and expressions.
    """
    if isinstance(a, str) and isinstance(b, str):
        work.tick(min(len(a), len(b)) >> _SAME)
        return a <= b if or_equal else a < b
    if type(a) is int and type(b) is int:
        return a <= b if or_equal else a < b
    if isinstance(a, bool) and isinstance(b, bool):
        return a <= b if or_equal else a < b
    if isinstance(a, list) and isinstance(b, list):
        return _less_list(work, a, b, or_equal=or_equal)
    x, y = work.numeric(a), work.numeric(b)
    if x is None or y is None:
        return False
    return x <= y if or_equal else x < y


def contains(work: Work, item: object, container: object) -> bool:
    """Say whether a text has a part, a list an item, an object a key; false for all else.

    Raises:
        LimitExceeded: A list is too large to be searched for a list or an object.
    """
    if item is MISSING:
        return False
    if isinstance(container, str):
        work.approach(container)
        return isinstance(item, str) and item in container
    if isinstance(container, Mapping):
        name = key_of(item)
        return name is not None and name in container
    if not isinstance(container, list):
        return False
    if isinstance(item, str) and len(item) >> _SAME:
        return any(equal(work, item, one) for one in _counted(work, container))
    if type(item) not in SCALARS:
        work.weigh(item)
        work.weigh(container)
    work.approach(container)
    return item in container


def key_of(value: object) -> str | None:
    """Give the key that a value names: objects have texts as keys, so `{1: "a"}[1]` is found."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and value.bit_length() > _KEY_BITS:
        return None
    return to_text(value) if isinstance(value, int | float) else None


def _counted(work: Work, items: list[object]) -> Iterator[object]:
    for item in items:
        work.tick()
        yield item


def _less_list(work: Work, a: list[object], b: list[object], *, or_equal: bool) -> bool:
    work.weigh(a)
    work.weigh(b)
    try:
        return a <= b if or_equal else a < b
    except TypeError:
        return False


COMPARISONS: Final[Mapping[str, Comparison]] = {
    "eq": equal,
    "ne": lambda work, a, b: not equal(work, a, b),
    "lt": less,
    "lteq": lambda work, a, b: less(work, a, b, or_equal=True),
    "gt": lambda work, a, b: less(work, b, a),
    "gteq": lambda work, a, b: less(work, b, a, or_equal=True),
    "in": contains,
    "notin": lambda work, a, b: not contains(work, a, b),
}
"""By the names of Jinja2."""
