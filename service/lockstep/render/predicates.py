"""The tests of `is`: without side effects, never raising."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lockstep.render.values import MISSING, contains, equal, less


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TESTS: Final[Mapping[str, Callable[..., Any]]] = {
    "defined": lambda v: v is not MISSING,
    "undefined": lambda v: v is MISSING,
    "none": lambda v: v is None,
    "true": lambda v: v is True,
    "false": lambda v: v is False,
    "string": lambda v: isinstance(v, str),
    "number": _number,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "float": lambda v: isinstance(v, float),
    "boolean": lambda v: isinstance(v, bool),
    "mapping": lambda v: isinstance(v, Mapping),
    "sequence": lambda v: isinstance(v, list | str),
    "iterable": lambda v: isinstance(v, list | str | Mapping),
    "even": lambda v: isinstance(v, int) and v % 2 == 0,
    "odd": lambda v: isinstance(v, int) and v % 2 == 1,
    "divisibleby": lambda v, n=1: (
        isinstance(v, int) and isinstance(n, int) and n != 0 and v % n == 0
    ),
    "lower": lambda v: isinstance(v, str) and v.islower(),
    "upper": lambda v: isinstance(v, str) and v.isupper(),
    "in": lambda v, c=(): contains(c, v),
    "eq": lambda v, o=None: equal(v, o),
    "equalto": lambda v, o=None: equal(v, o),
    "==": lambda v, o=None: equal(v, o),
    "ne": lambda v, o=None: not equal(v, o),
    "!=": lambda v, o=None: not equal(v, o),
    "lt": lambda v, o=None: less(v, o),
    "lessthan": lambda v, o=None: less(v, o),
    "<": lambda v, o=None: less(v, o),
    "le": lambda v, o=None: less(v, o, or_equal=True),
    "<=": lambda v, o=None: less(v, o, or_equal=True),
    "gt": lambda v, o=None: less(o, v),
    "greaterthan": lambda v, o=None: less(o, v),
    ">": lambda v, o=None: less(o, v),
    "ge": lambda v, o=None: less(o, v, or_equal=True),
    ">=": lambda v, o=None: less(o, v, or_equal=True),
}
