"""Kinds of actions, conditions, frames and waits: whoever tells them apart knows all of them."""

import ast
import builtins
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import msgspec
import pytest

from kinds import ACTIONS, CONDITIONS, FRAMES, NODES, PLACES, TIMERS, WAITS, Place
from lockstep.cli.terminal import status
from lockstep.walk import kinds
from lockstep_schemas.actions import KINDS, ActionBase
from lockstep_schemas.conditions import CONDITIONS as KEYS
from lockstep_schemas.status import WaitsStatus
from sources import Source, product

ALL = ACTIONS | NODES | CONDITIONS - {str} | FRAMES | WAITS | TIMERS


def cases(match: ast.Match, names: dict[str, Any]) -> Iterator[Any]:
    """Give the classes and texts that a `match` has cases for."""
    for case in match.cases:
        for pattern in ast.walk(case.pattern):
            if isinstance(pattern, ast.MatchClass):
                words = ast.unparse(pattern.cls).split(".")
                found = names.get(words[0], vars(builtins).get(words[0]))
                for word in words[1:]:
                    found = getattr(found, word, None)
                yield found
            elif isinstance(pattern, ast.MatchValue):
                yield getattr(pattern.value, "value", None)


def matches(tree: ast.AST) -> list[ast.Match]:
    """Give all `match` statements in a tree."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Match)]


def is_closed(match: ast.Match) -> bool:
    """Say whether a `match` ends in `case _: assert_never(...)`."""
    last = match.cases[-1]
    return ast.unparse(last.pattern) == "_" and ast.unparse(last.body).startswith("assert_never(")


def open_matches(source: Source) -> Iterator[str]:
    """Give the matches over kinds that do not end in `assert_never`, by their places."""
    found = [*source.all(ast.Match)]
    names = vars(import_module(source.module)) if found else {}
    for match in found:
        if is_over_kinds(list(cases(match, names))) and not is_closed(match):
            yield f"{source.module}:{match.lineno}"


def test_a_match_over_kinds_ends_in_assert_never() -> None:
    assert [stray for source in product() for stray in open_matches(source)] == []


def is_over_kinds(some: Sequence[Any]) -> bool:
    """Say whether cases are those of kinds: one class is enough, texts must all be such."""
    classes = [one for one in some if isinstance(one, type)]
    if classes:
        return any(one in ALL for one in classes)
    return bool(some) and all(isinstance(one, str) and one in WAITS | TIMERS for one in some)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__qualname__)
def test_a_place_that_must_know_the_kinds_has_a_case_for_each(place: Place) -> None:
    tree = ast.parse(textwrap.dedent(inspect.getsource(place)))
    names = vars(inspect.getmodule(place))
    (match,) = [one for one in matches(tree) if is_over_kinds(list(cases(one, names)))]
    assert {*cases(match, names)} - {None} == PLACES[place]


def test_the_kinds_of_actions_are_those_that_the_walk_has_a_module_for() -> None:
    modules = {module.name for module in pkgutil.iter_modules(kinds.__path__)}
    assert {*KINDS} == modules - {"dispatch"}
    assert {*KINDS.values()} == ACTIONS


def test_an_action_is_compiled_to_a_node_of_its_kind() -> None:
    assert {node.kind for node in NODES} == {*KINDS}


def test_the_key_of_a_kind_is_a_field_that_only_its_struct_has() -> None:
    for key, kind in {**KINDS, **KEYS}.items():
        own = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert key in own
        if issubclass(kind, ActionBase):
            assert not own & (KINDS.keys() - {key})


def test_the_keys_of_conditions_are_all_of_them() -> None:
    assert {*KEYS.values()} == CONDITIONS - {str}


def test_status_counts_and_names_each_kind_of_wait_but_deadlines() -> None:
    counted = {*WaitsStatus.__struct_fields__} - {"sleeping", "next_due_at"}
    assert counted == {*status._WAITS} == WAITS - {"deadline"}
