"""Measures this tree of Lockstep and another one in one sitting: machines change meanwhile."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import msgspec

from lockstep.bench.environment import engines_of
from lockstep.bench.figures import Figures


class Compared(msgspec.Struct):
    """One figure of both trees: medians, and that of the ratios."""

    here: float
    beside: float
    ratio: float | None  # here / beside; None where that was 0 in each round


def compare(measure: Callable[[], Figures], tree: Path, rounds: int) -> dict[str, Compared]:
    """Measure the engine of another tree and that of this one in turn, by the same benchmark.

    Each goes first in every other round. What is no number, or not there in both, is left out.

    Raises:
        BenchFailed: There is no such tree, or one of the engines did not do what it must.
    """
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for number in range(rounds):
        found: dict[bool, dict[str, float]] = {}
        for is_here in (True, False) if number % 2 else (False, True):
            with nullcontext() if is_here else engines_of(tree):
                found[is_here] = _numbers(measure())
        for name in found[True].keys() & found[False].keys():
            taken[name].append((found[True][name], found[False][name]))
    return {name: _compared(pairs) for name, pairs in sorted(taken.items())}


def _numbers(figures: Figures) -> dict[str, float]:
    found: dict[str, object] = msgspec.to_builtins(figures)
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _compared(pairs: list[tuple[float, float]]) -> Compared:
    ratios = [here / beside for here, beside in pairs if beside]
    return Compared(
        here=round(median(here for here, _ in pairs), 3),
        beside=round(median(beside for _, beside in pairs), 3),
        ratio=round(median(ratios), 3) if ratios else None,
    )
