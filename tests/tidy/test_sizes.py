"""How long things may be, and where they lie."""

from layout import (
    MAX_FILE_LINES,
    long_files,
    long_functions,
    wide_lines,
)
from sources import ROOT, Tree, product, suite

TOP_LEVEL = {
    "pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE",
    ".ci", ".gitignore", "service", "schemas", "deploy", "docs", "tests",
}  # fmt: skip
ALL = Tree([*product(), *suite()])


def test_a_file_stays_short() -> None:
    assert long_files(product(), MAX_FILE_LINES) == []


def test_a_file_of_the_tests_stays_short() -> None:
    assert long_files(suite(), MAX_FILE_LINES * 2) == []


def test_a_line_stays_short() -> None:
    assert wide_lines(ALL) == []


def test_a_function_stays_short() -> None:
    assert long_functions(ALL) == []


def test_the_top_level_is_that_of_the_architecture() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith((".git", ".l"))}
    caches = {".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".site"}
    assert tracked - caches <= TOP_LEVEL
