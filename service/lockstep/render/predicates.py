"""The tests of `is`, of `select` and of its kin: they look at a value and never raise on a type."""

from collections.abc import Callable, Mapping
from typing import Final, TypeGuard

from lockstep.render.compare import contains, equal, less
from lockstep.render.limits import Work
from lockstep.render.operators import BITS
from lockstep.render.values import MISSING

Predicate = Callable[..., bool]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _rest(work: Work, value: object, by: object) -> int | float | None:
    """Give what is left of a number; None where there is no number, or no division."""
    if not _is_number(value) or not _is_number(by) or by == 0:
        return None
    if isinstance(value, int):
        work.tick(value.bit_length() >> BITS)
    try:
        return value % by
    except OverflowError:  # an integer that no float can hold
        return None


def _divisible(work: Work, value: object, num: object) -> bool:
    return _rest(work, value, num) == 0


def _lower(work: Work, value: object) -> bool:
    work.approach(value)
    return isinstance(value, str) and value.islower()


def _upper(work: Work, value: object) -> bool:
    work.approach(value)
    return isinstance(value, str) and value.isupper()


def _eq(work: Work, value: object, other: object) -> bool:
    return equal(work, value, other)


def _ne(work: Work, value: object, other: object) -> bool:
    return not equal(work, value, other)


def _lt(work: Work, value: object, other: object) -> bool:
    return less(work, value, other)


def _le(work: Work, value: object, other: object) -> bool:
    return less(work, value, other, or_equal=True)


def _gt(work: Work, value: object, other: object) -> bool:
    return less(work, other, value)


def _ge(work: Work, value: object, other: object) -> bool:
    return less(work, other, value, or_equal=True)


PREDICATES: Final[Mapping[str, Predicate]] = {
    "defined": lambda _, value: value is not MISSING,
    "undefined": lambda _, value: value is MISSING,
    **dict.fromkeys(("none", "null"), lambda _, value: value is None or value is MISSING),
    "true": lambda _, value: value is True,
    "false": lambda _, value: value is False,
    "boolean": lambda _, value: isinstance(value, bool),
    "number": lambda _, value: _is_number(value),
    "integer": lambda _, value: isinstance(value, int) and not isinstance(value, bool),
    "float": lambda _, value: isinstance(value, float),
    "string": lambda _, value: isinstance(value, str),
    "sequence": lambda _, value: isinstance(value, list | str),
    "iterable": lambda _, value: isinstance(value, list | str | Mapping),
    "mapping": lambda _, value: isinstance(value, Mapping),
    "lower": _lower,
    "upper": _upper,
    "even": lambda work, value: _rest(work, value, 2) == 0,
    "odd": lambda work, value: _rest(work, value, 2) == 1,
    "divisibleby": _divisible,
    "in": contains,
    **dict.fromkeys(("eq", "equalto", "=="), _eq),
    **dict.fromkeys(("ne", "!="), _ne),
    **dict.fromkeys(("lt", "lessthan", "<"), _lt),
    **dict.fromkeys(("le", "<="), _le),
    **dict.fromkeys(("gt", "greaterthan", ">"), _gt),
    **dict.fromkeys(("ge", ">="), _ge),
}
"""By name; each takes the account, the value before `is`, and its arguments."""
