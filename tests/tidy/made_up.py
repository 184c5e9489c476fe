"""Small trees that somebody might write, for the rules to be tried on."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from sources import Tree, read


def made_up(folder: Path, files: Mapping[str, str], package: str = "lockstep") -> Tree:
    """Write a package: modules by their paths in it; each folder gets an empty `__init__.py`."""
    top = folder / package
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in (path.parent, *path.parent.parents):
            if parent.is_relative_to(top):
                (parent / "__init__.py").touch()
        path.write_text(dedent(text))
    return read(top)


def places(strays: list[str]) -> list[str]:
    """Shorten what a rule says to `file:line`."""
    return [stray.partition(": ")[0].rpartition("/")[2] for stray in strays]
