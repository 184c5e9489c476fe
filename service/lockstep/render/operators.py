"""Arithmetic that neither raises on a missing value nor makes a value that is too large."""

import operator
from collections.abc import Callable, Mapping
from typing import Final

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render.limits import MAX_INTEGER_BITS, Budget
from lockstep.render.values import MISSING, to_text

Arithmetic = Callable[[object, object, Budget], object]


def name_of(value: object) -> str:
    """Name the type of a value as JSON does."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list | tuple) else "an object"


def add(a: object, b: object, budget: Budget) -> object:
    """Add numbers; join texts, or lists."""
    if isinstance(a, str) and isinstance(b, str):
        budget.room(len(a) + len(b))
        return a + b
    if isinstance(a, list) and isinstance(b, list):
        budget.room(8 * (len(a) + len(b)))
        return a + b
    return _numeric("+", operator.add, a, b)


def multiply(a: object, b: object, budget: Budget) -> object:
    """Multiply numbers; repeat a text or a list."""
    for many, times in ((a, b), (b, a)):
        if isinstance(many, str | list) and isinstance(times, int) and not isinstance(times, bool):
            unit = 1 if isinstance(many, str) else 8
            budget.room(unit * len(many) * max(0, times))
            return many * times
    if isinstance(a, int) and isinstance(b, int):
        bits = a.bit_length() + b.bit_length()
        if bits > MAX_INTEGER_BITS:
            raise LimitExceeded(f"a number of {bits} bits is more than is allowed")
    return _numeric("*", operator.mul, a, b)


def concatenate(values: list[object], budget: Budget) -> str:
    """Join the texts of values: `~`."""
    texts = [to_text(value, budget.limits.value_bytes) for value in values]
    budget.room(sum(map(len, texts)))
    return "".join(texts)


def _simple(sign: str, function: Callable[[float, float], object]) -> Arithmetic:
    def apply(a: object, b: object, budget: Budget) -> object:
        budget.tick()
        return _numeric(sign, function, a, b)

    return apply


def _numeric(sign: str, function: Callable[[float, float], object], a: object, b: object) -> object:
    if a is MISSING or b is MISSING:
        return MISSING
    if isinstance(a, int | float) and isinstance(b, int | float):
        try:
            return function(a, b)
        except ZeroDivisionError:
            raise RenderError(f"{a} {sign} {b}: division by zero") from None
        except (OverflowError, ValueError) as error:
            raise RenderError(f"{sign}: {error}") from None
    raise RenderError(
        f"'{sign}' does not go with {name_of(a)} and {name_of(b)}; "
        "use `~` to join texts, `| int` or `| float` to make numbers"
    )


def negate(value: object) -> object:
    """Change the sign of a number."""
    if value is MISSING:
        return MISSING
    if isinstance(value, int | float):
        return -value
    raise RenderError(f"'-' does not go with {name_of(value)}")


def positive(value: object) -> object:
    """Leave a number as it is."""
    if value is MISSING:
        return MISSING
    if isinstance(value, int | float):
        return +value
    raise RenderError(f"'+' does not go with {name_of(value)}")


ARITHMETIC: Final[Mapping[str, Arithmetic]] = {
    "Add": add,
    "Mul": multiply,
    "Sub": _simple("-", operator.sub),
    "Div": _simple("/", operator.truediv),
    "FloorDiv": _simple("//", operator.floordiv),
    "Mod": _simple("%", operator.mod),
}
