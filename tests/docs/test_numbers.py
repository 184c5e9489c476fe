"""Numbers and versions that pages tell in their sentences are those of the code."""

import ast
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import yaml

from deploy.machines import DEPLOY
from lockstep.bus.dial import NEEDED
from lockstep.definition import compile as compiled
from lockstep.definition import shape
from lockstep.settings.structs import Settings
from lockstep.store.sessions import MIN_VERSION
from lockstep_schemas.durations import LONGEST_AGE_SECONDS, LONGEST_LOOK_BACK_SECONDS
from pages import PAGES, ROOT, inline, name_of

DAY_SECONDS: Final = 86_400
LANGUAGE: Final = (ROOT / "docs/LANGUAGE.md").read_text()
EVERY: Final = pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of
)


@EVERY
def test_the_versions_that_a_page_asks_for_are_those_that_are_needed(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    nats = re.findall(r"NATS (\d+\.\d+)(?: or newer|, PostgreSQL)", text)
    postgres = re.findall(r"(?:PostgreSQL|PostgreSQL\? \| Yours,) (\d+) or newer", text)
    assert {*re.findall(r"Python (3\.\d+) to (3\.\d+)", text)} <= {(pythons[0], pythons[-1])}
    assert {*nats} <= {".".join(map(str, NEEDED))}
    assert {*postgres} <= {str(MIN_VERSION)}


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (r"cut to (\d+) characters, and with `t_`", compiled.MAX_ID),
        (r"nest at most (\d+) deep", shape.MAX_CONDITION_DEPTH),
        (r"`until` only; (\d+) where it is left out", compiled.MAX_ITERATIONS),
        (r"at most (\d+) days back", LONGEST_LOOK_BACK_SECONDS // DAY_SECONDS),
        (r"The times of triggers are at most (\d+) days", LONGEST_AGE_SECONDS // DAY_SECONDS),
        (r"days, `lookback` at most (\d+)\.", LONGEST_LOOK_BACK_SECONDS // DAY_SECONDS),
    ],
)
def test_a_bound_in_a_sentence_of_the_language_holds(said: str, number: int) -> None:
    assert [int(one) for one in re.findall(said, LANGUAGE)] == [number]


def test_how_long_dead_letters_are_kept_is_told_to_operators() -> None:
    text = (ROOT / "docs/OPERATIONS.md").read_text()
    (days,) = re.findall(r"stands there untouched, with the reason, for (\d+) days", text)
    assert Settings().nats.dead_max_age_days == int(days)


def test_how_long_an_engine_is_given_to_end_is_told_as_it_is() -> None:
    (more,) = re.findall(r"give it (\d+) seconds more", (DEPLOY / "README.md").read_text())
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    given = int(services["engine"]["stop_grace_period"].removesuffix("s"))
    assert given - Settings().engine.grace_seconds == int(more)
    chart = DEPLOY / "helm/lockstep"
    (told,) = re.findall(r"A pod has (\d+) s more", (chart / "README.md").read_text())
    assert f"{{{{ add {told} (ceil" in (chart / "templates/deployment.yaml").read_text()


def test_what_the_recipes_for_contributors_name_is_in_the_code() -> None:
    there = {
        name
        for folder in ("service", "schemas", "tests")
        for file in (ROOT / folder).rglob("*.py")
        for name in _names(file)
    }
    named = {one for one in inline(ROOT / "CONTRIBUTING.md") if re.fullmatch(r"\w+", one)}
    assert {one for one in named if not one.isdecimal()} - there == set()


def test_what_stands_in_a_file_by_the_recipes_for_contributors_stands_there() -> None:
    text = re.sub(r"\s+", " ", (ROOT / "CONTRIBUTING.md").read_text())
    told = re.findall(r"`(\w+)` (?:of|in) `((?:service|tests|schemas)/[\w/]+\.py)`", text)
    assert len(told) > 10
    assert [(name, path) for name, path in told if name not in _names(ROOT / path)] == []


def _names(file: Path) -> set[str]:
    """Give what a module defines, names or has as a text of one word."""
    found: set[str] = {file.stem}
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.Name(id=name)
                | ast.Attribute(attr=name)
                | ast.alias(name=name)
                | ast.Constant(value=str(name))
            ):
                found.add(name)
            case ast.keyword(arg=str(name)):
                found.add(name)
    return found
