"""Members and arithmetic. Missing stays missing; what would be too large is never made."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from lockstep.model.errors import LimitExceeded, RenderError
from lockstep.render.compare import key_of
from lockstep.render.limits import INTEGER_BITS, Work
from lockstep.render.values import MISSING, kind

BITS: Final = 8  # a power of two: bits of whole numbers that take a step

GROUP: Final = ("grouper", "list")
"""The names of the two items of a group."""

Operation = Callable[[Work, object, object], object]


def member(value: object, key: object) -> object:
    """Give the member of an object, or what stands at a place of a list or a text.

    What `groupby` gives has two names besides, as it has in Jinja2: `grouper` and `list`. It is a
    pair and stays one when it is stored, so these are the names of any value with a list behind it.
    """
    if isinstance(value, Mapping):
        name = key_of(key)
        return MISSING if name is None else value.get(name, MISSING)
    if not isinstance(value, list | str):
        return MISSING
    if isinstance(key, str) and isinstance(value, list):
        paired = len(value) == len(GROUP) and isinstance(value[-1], list)
        return value[GROUP.index(key)] if paired and key in GROUP else MISSING
    index = _whole(key)
    if index is None or not -len(value) <= index < len(value):
        return MISSING
    return value[index]


def piece(work: Work, value: object, bounds: Sequence[object]) -> object:
    """Give a slice of a list or a text; `bounds` are start, stop and step."""
    if not isinstance(value, list | str):
        return MISSING
    whole: list[int | None] = []
    for bound in bounds:
        place = _whole(bound)
        if place is None and bound is not None:
            return MISSING
        whole.append(place)
    if whole[2] == 0:
        return MISSING
    made = value[slice(*whole)]
    work.account(value, made)
    return made


def add(work: Work, a: object, b: object) -> object:
    """Add numbers; join two texts or two lists."""
    if isinstance(a, str) and isinstance(b, str):
        work.fit(len(a) + len(b))
        return a + b
    if isinstance(a, list) and isinstance(b, list):
        work.take(8 * (len(a) + len(b)))
        return a + b
    return _calculate(work, "+", operator.add, a, b)


def multiply(work: Work, a: object, b: object) -> object:
    """Multiply numbers; repeat a text or a list."""
    if isinstance(b, str | list):
        a, b = b, a
    if isinstance(a, str | list) and isinstance(b, int) and not isinstance(b, bool):
        length = len(a) * max(b, 0)
        if isinstance(a, str):
            work.fit(length)
        else:
            work.take(8 * length)
        return a * b
    if isinstance(a, int) and isinstance(b, int):
        _bound(a.bit_length() + b.bit_length() - 1)
    return _calculate(work, "*", operator.mul, a, b)


def concatenate(work: Work, values: Sequence[object]) -> str:
    """Join the texts of values: the operator `~`."""
    texts = [work.text(value) for value in values]
    work.fit(sum(map(len, texts)))
    return "".join(texts)


def negate(value: object) -> object:
    """Give a number with the other sign: the prefix `-`."""
    return -_operand("-", value) if value is not MISSING else value


def affirm(value: object) -> object:
    """Give a number: the prefix `+`."""
    return +_operand("+", value) if value is not MISSING else value


def bounded(number: object) -> object:
    """Give back a number that is neither too large nor infinite.

    Raises:
        LimitExceeded: An integer is too large.
        RenderError: A float is not finite.
    """
    if isinstance(number, int):
        _bound(number.bit_length())
    elif isinstance(number, float) and not math.isfinite(number):
        raise RenderError("the result is no finite number")
    return number


def _calculate(
    work: Work, sign: str, operation: Callable[[float, float], float], a: object, b: object
) -> object:
    if a is MISSING or b is MISSING:
        return MISSING
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        raise RenderError(
            f"'{sign}' has no meaning for {kind(a)} and {kind(b)}", hint=_hint(sign, a, b)
        )
    if isinstance(a, int) and isinstance(b, int):
        work.tick((a.bit_length() + b.bit_length()) >> BITS)
    return bounded(operation(a, b))


def _hint(sign: str, a: object, b: object) -> str:
    if a is None or b is None:
        return "give a value to what may be null: `x | default(0)`"
    if sign == "+" and (isinstance(a, str) or isinstance(b, str)):
        return "join texts with `~`, make numbers of texts with `| int` or `| float`"
    return ""


def _operand(sign: str, value: object) -> int | float:
    if not isinstance(value, int | float):
        raise RenderError(f"'{sign}' has no meaning for {kind(value)}")
    return value


def _bound(bits: int) -> None:
    if bits > INTEGER_BITS:
        raise LimitExceeded(f"an integer would have more than {INTEGER_BITS} bits")


def _whole(value: object) -> int | None:
    """Give the whole number that a place is; `6 / 2` is one too."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _plain(sign: str, operation: Callable[[float, float], float]) -> Operation:
    return lambda work, a, b: _calculate(work, sign, operation, a, b)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "Add": add,
    "Sub": _plain("-", operator.sub),
    "Mul": multiply,
    "Div": _plain("/", operator.truediv),
    "FloorDiv": _plain("//", operator.floordiv),
    "Mod": _plain("%", operator.mod),
}
"""By the names of the nodes of Jinja2."""
