"""Errors explain themselves: each class has a code of its own, and a log line of one has it too."""

import ast
import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import lockstep
from lockstep.cli.files import error_codes as errors
from lockstep.model.errors import EngineError
from sources import Source, product

ROOT = Path(__file__).parents[2]
DOTTED = re.compile(r"[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*)+")


def below(kind: type[EngineError]) -> Iterator[type[EngineError]]:
    """A class and all that are made of it."""
    yield kind
    for one in kind.__subclasses__():
        yield from below(one)


def every() -> list[type[EngineError]]:
    """All classes of errors that there are in all modules."""
    for module in pkgutil.walk_packages(lockstep.__path__, "lockstep."):
        if module.name != "lockstep.__main__":
            importlib.import_module(module.name)
    return [one for one in below(EngineError) if one.__module__.startswith("lockstep.")]


ALL = every()


def test_every_code_is_that_of_one_class() -> None:
    numbers = Counter(kind.code for kind in ALL)
    assert [code for code, number in numbers.items() if number > 1] == []


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__qualname__)
def test_a_class_says_its_code_what_happened_and_what_to_do(kind: type[EngineError]) -> None:
    for name in ("code", "advice", "__doc__"):
        assert kind.__dict__.get(name), f"{name} is not of {kind.__name__} itself"
    assert DOTTED.fullmatch(kind.code)
    assert kind.advice.endswith(".")


def test_the_table_looks_into_every_module_that_has_a_class() -> None:
    assert {kind.__module__ for kind in ALL} <= set(errors.modules())


def test_the_table_has_every_code() -> None:
    rows = [line for line in errors.page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(kind.code for kind in ALL)


def test_the_page_is_the_one_that_is_generated() -> None:
    wanted = "`lockstep errors --reference > docs/ERRORS.md`"
    page = (ROOT / "docs/ERRORS.md").read_text()
    assert page == errors.page(), f"run {wanted} and commit what it writes"


def test_a_log_line_takes_the_error_itself() -> None:
    """Made a text by the caller, it would have lost its code."""
    assert [stray for source in product() for stray in texts_of_errors(source)] == []


def texts_of_errors(source: Source) -> list[str]:
    """Give what log lines get that the caller made a text of an error that it caught."""
    caught = {node.name for node in source.all(ast.ExceptHandler)}
    return [
        f"{source.module}:{node.lineno}: {keyword.arg}={ast.unparse(keyword.value)}"
        for node in source.all(ast.Call)
        if isinstance(node.func, ast.Attribute)
        if node.func.attr in {"debug", "info", "warning", "error", "exception"}
        for keyword in node.keywords
        if isinstance(value := keyword.value, ast.Call)
        if isinstance(value.func, ast.Name) and value.func.id == "str" and value.args
        if isinstance(value.args[0], ast.Name) and value.args[0].id in caught
    ]
