"""What authors who come from other languages are told; who follows it has a valid definition."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lockstep.catalog import MemoryCatalog, Registry, build_catalog
from lockstep.definition.validate import check_source
from lockstep.model.types import ActionContext, ActionResult
from lockstep.render import Renderer
from lockstep_schemas.api import Issue
from unit.definition.judging import place

FAMILIES = ("home-assistant", "github-actions", "ansible", "kestra")
SERVICES = (
    "light.turn_on",
    "vault.checkout",
    "server.patch",
    "shop.send",
    "shop.build",
    "make.test",
)


def _cases() -> list[Any]:
    found = []
    for family in FAMILIES:
        file = Path(__file__).with_name(f"newcomers-{family}.yaml")
        cases = yaml.safe_load(file.read_text())
        assert len(cases) == 10
        found += [pytest.param(case, id=f"{family}-{case['what']}") for case in cases]
    return found


async def _nothing(_: ActionContext) -> ActionResult:
    return ActionResult(success=True)


def _catalog() -> MemoryCatalog:
    catalog = build_catalog(open=True)

    def services(plugin: str) -> Any:
        def register(registry: Registry) -> None:
            for one in SERVICES:
                if one.startswith(f"{plugin}."):
                    registry.action(one.partition(".")[2])(_nothing)
            if plugin == "vault":
                key = {
                    "type": "object",
                    "properties": {"key": {"type": "string", "x-secret": True}},
                }
                registry.action("store", config=key)(_nothing)
            if plugin == "shop":
                registry.artifact("page", schema={"type": "object"})
                registry.action("fetch", produces="page")(_nothing)

        return register

    for plugin in sorted({one.partition(".")[0] for one in SERVICES}):
        catalog.register(plugin, services(plugin))
    return catalog


CATALOG = _catalog()


def shown(issue: Issue) -> tuple[str, int | None, str, str]:
    return place(issue), issue.line, issue.message, issue.hint or ""


def agrees(wanted: list[Any], told: tuple[str, int | None, str, str]) -> bool:
    path, line, message, hint = wanted
    return (path, line) == told[:2] and str(message) in told[2] and str(hint) in told[3]


def all_agree(wanted: list[list[Any]], told: list[Issue]) -> None:
    """Each is told, and nothing else."""
    left = [shown(issue) for issue in told]
    for one in wanted:
        found = next((issue for issue in left if agrees(one, issue)), None)
        assert found is not None, f"{one} is not told, but {left}"
        left.remove(found)
    assert left == []


@pytest.mark.parametrize("case", _cases())
def test_a_newcomer_is_told_what_is_meant_and_where_and_what_to_write(case: dict[str, Any]) -> None:
    checked = check_source(case["wrong"], CATALOG, Renderer())
    all_agree(case.get("told", []), checked.errors)
    if "warned" in case:
        text = case.get("warned_of", case["wrong"])
        again = check_source(text, CATALOG, Renderer())
        assert again.errors == []
        all_agree(case["warned"], again.warnings)
    right = check_source(case["right"], CATALOG, Renderer())
    assert (right.errors, right.warnings) == ([], [])
    for issue in checked.errors:
        for text in exact(issue.hint or ""):
            assert text in flat(case["right"]), (
                f"{case['right']} does not do what {issue.hint} says"
            )


def exact(hint: str) -> list[str]:
    """Give what a hint says to write word for word."""
    texts = re.findall(r"write `([^`]+)`", hint)
    return [flat(text) for text in texts if not re.search(r"\.\.\.|<|NAME", text)]


def flat(text: str) -> str:
    """Give a text without what may be written in several ways."""
    return re.sub(r"[\s\"']+", "", text)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("delay: {minutes: 1, seconds: 30}", "write `delay: {seconds: 90}`"),
        ("delay: {hours: 1.5}", "write `delay: {seconds: 5400}`"),
        ("delay: {milliseconds: 1500}", "write `delay: {seconds: 1.5}`"),
        ("delay: {hours: some}", "write it as `seconds`, or as `template`"),
        ("wait_for_trigger: {event: a.b, timeout: {hours: 1}}", "write `timeout_seconds: 3600`"),
        (
            "{wait_for_trigger: {event: a.b}, timeout_seconds: 9}",
            "in `wait_for_trigger`, write `timeout_seconds: 9`",
        ),
        ("{action: make.test, timeout: 2 min}", "write `timeout_seconds: 120`"),
        ("{action: make.test, timeout: soon}", "write `timeout_seconds`"),
        ("{sequence: [{stop: {}}], timeout: 5}", "leave it out: an action of a service or"),
    ],
)
def test_a_time_in_other_words_is_told_in_seconds_where_it_belongs(wrong: str, hint: str) -> None:
    text = f"name: x\ntriggers: [{{event: a.b}}]\nactions:\n  - {wrong}\n"
    told = check_source(text, CATALOG, Renderer()).errors[0].hint or ""
    assert told.startswith(hint)
    if ": " in hint and hint.endswith("`"):
        assert told == hint


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("mode: replace", "write `restart`"),
        ("mode: queue", "write `queued`"),
        ("mode: Single", "did you mean `single`?"),
        ("concurrency_scope: context-key", "did you mean `context_key`?"),
        ("mode: sometimes", None),
    ],
)
def test_a_word_that_is_none_of_those_expected_is_told_with_the_near_one(
    wrong: str, hint: str | None
) -> None:
    text = f"name: x\ntriggers: [{{event: a.b}}]\n{wrong}\n"
    (issue,) = check_source(text, CATALOG, Renderer()).errors
    assert issue.hint == hint
