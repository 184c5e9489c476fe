"""Recipes of CONTRIBUTING.md, followed in a copy of the tree.

A mark above a block says what becomes of it: `<!-- file: PATH -->` is a new file, and
`<!-- row: PATH -->` is put into one that is there. Before what it stands there, the test knows.
"""

import asyncio
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from patience import LIMIT_SECONDS

ROOT: Final = Path(__file__).parents[1]
_BLOCK: Final = r"<!-- {}: (\S+) -->\n *```\w+\n(.*?)\n *```"
_PATHS: Final = ("service", "schemas", "tests", "tests/tidy")


def recipe(heading: str) -> str:
    """Give what stands under a heading."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (found,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    return str(found)


def blocks(text: str, mark: str) -> Mapping[str, str]:
    """Give the blocks of a recipe under such a mark, by path."""
    found = re.findall(_BLOCK.format(mark), text, re.DOTALL)
    return {path: f"{textwrap.dedent(block)}\n" for path, block in found}


def copy_tree(folder: Path) -> None:
    """Copy what the tree is made of."""
    for name in ("service", "schemas", "tests", "deploy"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)


def insert(path: Path, text: str, before: str) -> None:
    """Put a text into a file, before another one that stands there once."""
    content = path.read_text()
    assert content.count(before) == 1, f"{path}: {before}"
    path.write_text(content.replace(before, text + before))


async def python(folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Run Python in a copy; give its exit code and what it has said."""
    path = os.pathsep.join(str(folder / name) for name in _PATHS)
    env = {**os.environ, "PYTHONPATH": path}
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=folder, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode, output.decode()
