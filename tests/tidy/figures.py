"""The figures of the tree, each with its bound: `python tests/tidy/figures.py [--list]`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from assigned import replaced_methods, set_after_construction
from circles import circles
from contracts import CONTRACTS
from layout import MAX_MODULES, folders, loose_modules
from sources import Tree, product, suite

TESTBED: Final = "lockstep.testbed"
MAX_OPEN_SHARE: Final = 0.05  # of lines: what puts together is small beside what it puts together


@dataclass(frozen=True)
class Figure:
    """Something that is counted."""

    name: str
    value: float
    most: float
    strays: Sequence[str] = ()

    @property
    def is_met(self) -> bool:
        """Whether it is within its bound."""
        return self.value <= self.most

    def __str__(self) -> str:
        """Give it as a line of a table."""
        is_share = isinstance(self.most, float)
        value, most = (
            f"{one:.1%}" if is_share else f"{one:.0f}" for one in (self.value, self.most)
        )
        return f"{self.name:<42}{value:>7}   at most {most:>5}{'' if self.is_met else '   MISSED'}"


def _count(name: str, strays: Sequence[str]) -> Figure:
    return Figure(name, len(strays), 0, strays)


def _circles() -> Figure:
    return _count("circles of imports", circles(product()))


def _climbs() -> Figure:
    return _count("imports that climb", CONTRACTS.climbs(product()))


def _loose() -> Figure:
    return _count("loose modules", loose_modules(product()))


def _open_share() -> Figure:
    share = CONTRACTS.share_of_roots(product())
    return Figure("share of lines that may import everything", share, MAX_OPEN_SHARE)


def _set_later() -> Figure:
    return _count("callables set after construction", set_after_construction(product()))


def _replaced() -> Figure:
    worlds = [source for source in product() if source.module.startswith(TESTBED)]
    strays = replaced_methods(Tree([*suite(), *worlds]), product())
    return _count("replaced methods in tests and testbed", strays)


def _biggest() -> Figure:
    size, folder = max((count, folder) for folder, count in folders(product()).items())
    return Figure("modules of the biggest folder", size, MAX_MODULES, [str(folder)])


FIGURES: Final = (_circles, _climbs, _loose, _open_share, _set_later, _replaced, _biggest)


def main(arguments: Sequence[str]) -> int:
    """Print them, with `--list` also what is counted; 0 when all are within their bounds."""
    found = [count() for count in FIGURES]
    for figure in found:
        print(figure)  # noqa: T201 - what it is for
        if "--list" in arguments:
            print(*(f"    {stray}" for stray in figure.strays), sep="\n")  # noqa: T201
    return 0 if all(figure.is_met for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
