"""Where things lie, and how long they are."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sources import Function, Tree

MAX_FILE_LINES: Final = 400  # what a reader keeps in mind; a test is read in pieces: twice as much
MAX_FUNCTION_LINES: Final = 50  # a screen
MAX_COLUMNS: Final = 100  # two files beside each other
MAX_MODULES: Final = 26  # in a folder: what is looked through at a glance
AT_THE_TOP: Final = frozenset({"__init__", "__main__"})


def loose_modules(sources: Tree, package: str = "lockstep") -> list[str]:
    """Say which modules stand in no folder, beside those that must."""
    return [
        source.at(1)
        for source in sources
        if source.module.count(".") == 1
        and source.module.startswith(f"{package}.")
        and not source.is_package
        and source.path.stem not in AT_THE_TOP
    ]


def folders(sources: Tree) -> Mapping[Path, int]:
    """Count the modules of each folder, without what stands for the folder itself."""
    return Counter(source.path.parent for source in sources if not source.is_package)


def long_files(sources: Tree, most: int) -> list[str]:
    """Say which files are too long."""
    return [
        f"{source.at(1)}: {len(source.lines)} lines"
        for source in sources
        if len(source.lines) > most
    ]


def wide_lines(sources: Tree) -> list[str]:
    """Say which lines are too long."""
    return [
        source.at(number)
        for source in sources
        for number, text in enumerate(source.lines, 1)
        if len(text) > MAX_COLUMNS
    ]


def long_functions(sources: Tree) -> list[str]:
    """Say which functions are too long."""
    return [
        f"{source.at(function)}: {function.name} has {_length(function)} lines"
        for source in sources
        for function in source.functions
        if _length(function) > MAX_FUNCTION_LINES
    ]


def _length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1
