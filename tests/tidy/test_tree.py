"""The rules of the tree: who may import whom, how long things may be, what log lines are called."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from lockstep.control import AutomationEndpoints
from lockstep.model.log_names import EVENT_NAMES, LOG_NAMES
from lockstep_schemas.run_events import What

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service" / "lockstep"
SCHEMAS = ROOT / "schemas" / "lockstep_schemas"
SOURCES = sorted([*SERVICE.rglob("*.py"), *SCHEMAS.rglob("*.py")])
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]

MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_COLUMNS = 400, 50, 100

STATIONS = {"intake", "matching", "gate", "launch", "walk", "checkpoint", "wake", "report"}
TOP = {
    "__main__",
    "api",
    "app",
    "start",
    "waking",
    "watching",
    "cli",
    "bench",
}  # may import everything
BELOW = {"ports", "render", "schedule", "model", "lockstep_schemas"}
# What each part may import beside itself.
MAY_IMPORT: dict[str, set[str]] = {
    "pipeline": STATIONS | BELOW | {"catalog", "definition"},
    "children": STATIONS | BELOW | {"pipeline"},
    "sources": STATIONS | BELOW | {"pipeline"},
    "timers": STATIONS | BELOW | {"pipeline"},
    "control": STATIONS | BELOW | {"catalog", "definition"},
    "cases": STATIONS | BELOW | {"catalog", "definition"},
    "contract": {"control", "cases", "lockstep_schemas"},
    "catalog": set(BELOW),
    "definition": set(BELOW),
    **{station: set(BELOW) for station in STATIONS},
    "store": {"ports", "model", "lockstep_schemas"},
    "bus": {"ports", "model", "lockstep_schemas"},
    "render": {"model", "lockstep_schemas"},
    "ports": {"model", "lockstep_schemas"},
    "schedule": {"lockstep_schemas"},
    "secrets": {"ports", "model", "lockstep_schemas"},
    "model": {"lockstep_schemas"},
    "probes": {"ports", "model", "lockstep_schemas"},
    "tracing": {"ports", "model", "settings", "lockstep_schemas"},
    "fetch": {"ports", "model", "lockstep_schemas"},
    # those of the bus and of HTTP are part of ours
    "settings": {"bus", "fetch", "lockstep_schemas"},
    "config": {"settings", "model", "lockstep_schemas"},
    "embedded": {"model"},
    "lockstep_schemas": set(),
}
# A driver is known to one package.
DRIVERS = {
    "asyncpg": "store", "nats": "bus", "jinja2": "render", "aiohttp": "fetch",
    "prometheus_client": "probes", "uvicorn": "probes", "opentelemetry": "tracing",
}  # fmt: skip
TOP_LEVEL = {
    "pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "LICENSE", ".ci", ".gitignore",
    "service", "schemas", "deploy", "tests",
}  # fmt: skip


def part_of(path: Path) -> str:
    """Name the part of the tree that a source belongs to."""
    if path.is_relative_to(SCHEMAS):
        return "lockstep_schemas"
    return path.relative_to(SERVICE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Give the modules that a source imports, with lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "lockstep":
                yield from ((node.lineno, f"lockstep.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module


def label(path: Path) -> str:
    """Name a source in the output."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_a_part_imports_only_what_the_layers_allow(path: Path) -> None:
    part = part_of(path)
    if part in TOP or path == SERVICE / "__init__.py":
        return
    strays = []
    for line, module in imports(path):
        words = module.split(".")
        if words[0] == "lockstep":
            target = words[1] if len(words) > 1 else "__init__"
        elif words[0] == "lockstep_schemas":
            target = "lockstep_schemas"
        else:
            continue
        if target not in {part, "__version__"} | MAY_IMPORT[part]:
            strays.append(f"{label(path)}:{line}: {part} may not import {module}")
    assert not strays


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_a_driver_is_imported_by_its_own_package_only(path: Path) -> None:
    strays = [
        f"{label(path)}:{line}: {module}"
        for line, module in imports(path)
        if (home := DRIVERS.get(module.partition(".")[0])) and home != part_of(path)
    ]
    assert not strays


@pytest.mark.parametrize("path", sorted(SCHEMAS.rglob("*.py")), ids=label)
def test_the_schemas_import_nothing_but_msgspec_and_the_standard_library(path: Path) -> None:
    known = {"msgspec", "typing", "datetime", "lockstep_schemas", "collections", "re", "uuid"}
    assert {module.partition(".")[0] for _, module in imports(path)} <= known


@pytest.mark.parametrize("path", ALL, ids=label)
def test_a_file_and_its_lines_stay_short(path: Path) -> None:
    lines = path.read_text().splitlines()
    wide = [f"{label(path)}:{i}" for i, text in enumerate(lines, 1) if len(text) > MAX_COLUMNS]
    assert not wide
    is_test = path.is_relative_to(ROOT / "tests")
    assert len(lines) <= MAX_FILE_LINES * (2 if is_test else 1), f"{len(lines)} lines"


@pytest.mark.parametrize("path", ALL, ids=label)
def test_a_function_stays_short(path: Path) -> None:
    long = [
        f"{label(path)}:{node.lineno}: {node.name} has {length} lines"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert not long


def log_calls(path: Path) -> Iterator[tuple[ast.Call, list[ast.expr | None]]]:
    """Give the calls that log a line, with the names that it may have."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if name in {"log", "logger"} and node.func.attr in {
            "debug", "info", "warning", "error", "exception",
        }:  # fmt: skip
            first = node.args[0] if node.args else None
            yield node, [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_a_log_line_has_a_name_of_the_table(path: Path) -> None:
    strays = [
        f"{label(path)}:{node.lineno}: {ast.unparse(node)[:80]}"
        for node, names in log_calls(path)
        if not all(isinstance(n, ast.Constant) and n.value in LOG_NAMES for n in names)
    ]
    assert not strays


@pytest.mark.parametrize("path", SOURCES, ids=label)
def test_a_log_line_of_a_run_says_its_automation_too(path: Path) -> None:
    strays = []
    for node, _ in log_calls(path):
        fields = {keyword.arg for keyword in node.keywords}
        if "run_id" in fields and "automation_id" not in fields:
            strays.append(f"{label(path)}:{node.lineno}")
    assert not strays


def test_every_name_of_the_table_is_used() -> None:
    """As a literal: the walk and the actions log through what they are handed."""
    used = {
        node.value
        for path in SOURCES
        if path.name != "log_names.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not LOG_NAMES.keys() - used


def test_the_events_of_the_table_are_those_that_are_told() -> None:
    told = {f"run.{what}" for what in get_args(What)}
    changes = get_type_hints(AutomationEndpoints._announce)["what"]
    told |= {f"automation.{what}" for what in get_args(changes)}
    assert EVENT_NAMES.keys() == told


def test_the_top_level_is_that_of_the_architecture() -> None:
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith((".git", ".l"))}
    caches = {".venv", ".venv-latest", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
    assert tracked - caches <= TOP_LEVEL


def test_no_module_of_the_tests_hides_an_installed_one() -> None:
    """A folder of tests stands in the path of imports, before what is installed."""
    installed = set(packages_distributions()) | sys.stdlib_module_names
    modules = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith("__")]
    assert not [label(path) for path in modules if path.stem in installed]


def test_modules_of_tests_that_are_in_no_package_have_names_of_their_own() -> None:
    modules = list((ROOT / "tests").rglob("test_*.py"))
    names = Counter(path.name for path in modules if not (path.parent / "__init__.py").exists())
    assert [name for name, number in names.items() if number > 1] == []
