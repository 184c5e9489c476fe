"""Each filter, test and operator pays, before it is done, for the work that it does.

An evaluation looks at the clock after so many steps. So a step must not stand for more than some
microseconds of work, whatever the values are: hostile ones are tried with all there is.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from lockstep.model.errors import RenderError
from lockstep.render.compare import COMPARISONS
from lockstep.render.filters import BUILT_IN
from lockstep.render.limits import Limits, Work
from lockstep.render.operators import OPERATIONS, concatenate, piece
from lockstep.render.predicates import PREDICATES

MOST_US: Final = 25.0  # for a step: some ten times what the slowest takes, and the machine is busy
MEASURED_NS: Final = 300_000
MOST_CALLS: Final = 20
LIMITS: Final = Limits(processor_seconds=1e6)

LONG = "a" * 500_000
VALUES: dict[str, Any] = {
    "long": LONG,
    "odd": "İ" * 100_000,
    "spaces": " " * 500_000,
    "words": "a " * 200_000,
    "longs": [LONG] * 500,
    "numbers": list(range(30_000)),
    "texts": [str(number % 15_000) for number in range(25_000)],
    "prefixed": ["x" * 2000 + str(number % 7) for number in range(500)],
    "objects": [{"a": number, "b": str(number)} for number in range(7_500)],
    "object": {str(number): number for number in range(15_000)},
    "huge": 10**1200,
    "digits": "9" * 400,
    "nested": [[number] for number in range(10_000)],
    "float": 1.5e300,
    "crafted": [number * (2**61 - 1) for number in range(4000)],
    "lines": "a\n" * 200_000,
    "json": "[" + "[],1," * 100_000 + "0]",
    "deep": "[" * 900 + "]" * 900,
    "pairs": [[str(number), number] for number in range(10_000)],
    "moments": ["2026-01-01T00:00:00Z"] * 2000,
}
OTHERS: dict[str, Any] = {
    "long": LONG[:-1] + "b",
    "longs": [LONG[:-1] + "b"] * 500,
    "numbers": [*range(29_999), -1],
    "prefixed": ["x" * 2000 + str(number % 5) for number in range(500)],
    "objects": [{"a": number, "b": str(number)} for number in range(7_499)] + [{"a": 0}],
    "object": {str(number): number for number in range(15_000)},
    "huge": 10**1200 + 1,
    "digits": "9" * 399 + "8",
    "nested": [[number] for number in range(9_999)] + [[0]],
}
ARGUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "replace": [("a", "b"), ("aa", "a"), ("zz", "y"), ("a", "")],
    "split": [(), ("a",), ("zz",)],
    "join": [(), ("", "a")],
    "trim": [(), ("ab" * 30,)],
    "truncate": [(), (250_000,)],
    "round": [(), (300,), (0, "ceil")],
    "groupby": [("a",)],
    "sort": [(), (True, True), (False, False, "a,b,a")],
    "batch": [(1,), (7,), (100_000, 0)],
    "slice": [(1,), (7,), (100_000, 0)],
    "dictsort": [(), (True, "value")],
    "indent": [(), (8, True, True), ("> ",)],
    "unique": [(), (True,)],
    "sum": [(), ("a",)],
    "date": [("ISO",), ("rfc2822",), ("%Y" * 500,)],
    "older_than": [(1,)],
    "regex_match": [("b",), ("a*b",)],
    "regex_search": [("b",), ("a*b",)],
    "regex_findall": [("a",), ("(a)(a)(a)(a)?(b)?",), ("[^b]+",)],
    "regex_replace": [("b", "c"), ("a{40}", "b")],
    "json": [(), (8,)],
    "selectattr": [("a",)],
    "rejectattr": [("a",)],
}


class Counting(Work):
    """An account that never ends, and counts what is charged."""

    def __init__(self) -> None:
        super().__init__({}, LIMITS)
        self.charged = 0

    def tick(self, steps: int = 1) -> None:
        self.charged += steps

    def seconds_left(self) -> float:
        return 0.1


def dearest(calls: Iterator[tuple[str, Callable[[Work], object]]]) -> tuple[float, str]:
    """Make calls; give the one whose steps take longest, in microseconds of this thread.

    One that ends in an error is the last of its evaluation, so that it need not pay.
    """
    return max((_step_us(call), name) for name, call in calls)


def _step_us(call: Callable[[Work], object]) -> float:
    best = float("inf")
    for _ in range(2):  # the better of both: something else may have come in between
        steps = number = spent = 0
        while spent < MEASURED_NS and number < MOST_CALLS:
            work = Counting()
            begun = time.thread_time_ns()
            try:
                call(work)
            except (RenderError, ArithmeticError):
                if not work.charged:
                    return 0.0
            spent += time.thread_time_ns() - begun
            steps, number = steps + work.charged + 1, number + 1
        best = min(best, spent / 1000 / steps)
        if best < MOST_US / 2:
            break
    return best


def filtered(name: str) -> Iterator[tuple[str, Callable[[Work], object]]]:
    """Calls of a filter as an expression makes them."""
    function, named = BUILT_IN[name], {"attribute": "a"} if name == "map" else {}

    def call(work: Work, value: object, args: tuple[Any, ...]) -> None:
        work.approach(value)
        work.account(value, function(work, value, *args, **named))

    for args in ARGUMENTS.get(name, [()]):
        for kind, value in VALUES.items():
            yield f"{kind} | {name}{args!r:.40}", lambda w, v=value, a=args: call(w, v, a)


def paired(function: Callable[..., object]) -> Iterator[tuple[str, Callable[[Work], object]]]:
    """Calls with each of two values."""
    for left, a in VALUES.items():
        for right, b in OTHERS.items():
            yield f"{left} and {right}", lambda w, x=a, y=b: function(w, x, y)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_filter_pays_for_what_it_does(name: str) -> None:
    step_us, what = dearest(filtered(name))
    assert step_us < MOST_US, what


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_a_comparison_pays_for_what_it_does(name: str) -> None:
    step_us, what = dearest(paired(COMPARISONS[name]))
    assert step_us < MOST_US, what


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operator_pays_for_what_it_does(name: str) -> None:
    step_us, what = dearest(paired(OPERATIONS[name]))
    assert step_us < MOST_US, what


@pytest.mark.parametrize("name", ["divisibleby", "eq", "ge", "in", "lt", "ne"])
def test_a_test_with_an_argument_pays_for_what_it_does(name: str) -> None:
    step_us, what = dearest(paired(PREDICATES[name]))
    assert step_us < MOST_US, what


def test_what_looks_at_a_value_alone_pays_for_what_it_does() -> None:
    def calls() -> Iterator[tuple[str, Callable[[Work], object]]]:
        for kind, value in VALUES.items():
            for name in ("lower", "upper", "even", "odd", "true"):
                yield f"{kind} is {name}", lambda w, v=value, n=name: PREDICATES[n](w, v)
            yield f"{kind}[::-1]", lambda w, v=value: piece(w, v, (None, None, -1))
            yield f"{kind} ~ {kind}", lambda w, v=value: concatenate(w, [v, v])

    step_us, what = dearest(calls())
    assert step_us < MOST_US, what


def test_a_list_is_put_in_order_in_pieces_as_if_at_once() -> None:
    work = Counting()
    for size in (0, 1, 511, 512, 513, 1500, 5000):
        items = [f"{(number * 7919) % 101:03d}-{number}" for number in range(size)]
        keys = [{"k": one[:3], "i": one} for one in items]
        for reverse in (False, True):
            found = BUILT_IN["sort"](work, keys, reverse, False, "k")
            assert found == sorted(keys, key=lambda one: one["k"], reverse=reverse)
