"""What log lines and events are called."""

import ast
from collections.abc import Iterator
from typing import get_args, get_type_hints

from lockstep.control import AutomationEndpoints
from lockstep.model.log_names import EVENT_NAMES, LOG_NAMES
from lockstep_schemas.run_events import What
from sources import Source, product

LEVELS = {"debug", "info", "warning", "error", "exception"}


def log_calls(source: Source) -> Iterator[tuple[ast.Call, list[ast.expr | None]]]:
    """Give the calls that log a line, with the names that it may have."""
    for node in source.all(ast.Call):
        if not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if name in {"log", "logger"} and node.func.attr in LEVELS:
            first = node.args[0] if node.args else None
            yield node, [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]


def test_a_log_line_has_a_name_of_the_table() -> None:
    strays = [
        f"{source.at(node)}: {ast.unparse(node)[:80]}"
        for source in product()
        for node, names in log_calls(source)
        if not all(isinstance(one, ast.Constant) and one.value in LOG_NAMES for one in names)
    ]
    assert strays == []


def test_a_log_line_of_a_run_says_its_automation_too() -> None:
    strays = [
        source.at(node)
        for source in product()
        for node, _ in log_calls(source)
        if "run_id" in (fields := {keyword.arg for keyword in node.keywords})
        and "automation_id" not in fields
    ]
    assert strays == []


def test_every_name_of_the_table_is_used() -> None:
    """As a literal: the walk and the actions log through what they are handed."""
    used = {
        text.value
        for source in product()
        if source.path.name != "log_names.py"
        for text in source.all(ast.Constant)
        if isinstance(text.value, str)
    }
    assert not LOG_NAMES.keys() - used


def test_the_events_of_the_table_are_those_that_are_told() -> None:
    told = {f"run.{what}" for what in get_args(What)}
    changes = get_type_hints(AutomationEndpoints._announce)["what"]
    told |= {f"automation.{what}" for what in get_args(changes)}
    assert EVENT_NAMES.keys() == told
