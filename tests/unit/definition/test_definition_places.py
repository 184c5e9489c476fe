"""Where names mean something, which texts are looked at, and that nothing is told twice."""

from typing import Any

import pytest
from judging import RENDERER, acting, judged, made, place, trigger

from lockstep.catalog import MemoryCatalog, Registry, build_catalog
from lockstep.definition.compile import compile_program
from lockstep.definition.stored import parse
from lockstep.model.types import ActionContext, ActionResult

MAKE = {"id": "mk", "action": "test.create"}


async def _nothing(_: ActionContext) -> ActionResult:
    return ActionResult(success=True)


def _scripts(registry: Registry) -> None:
    inner = {"properties": {"shell": {"type": "string"}}, "additionalProperties": False}
    listed = {"type": "array", "items": inner}
    fields = {"source": {"type": "string"}, "options": inner, "steps": listed}
    config = {"type": "object", "properties": fields, "additionalProperties": False}
    registry.action("run", config=config, code_fields=["source"])(_nothing)


def _catalog() -> MemoryCatalog:
    catalog = build_catalog(open=True, with_stubs=True)
    catalog.register("script", _scripts)
    return catalog


SCRIPTS = _catalog()


def told(raw: Any, catalog: MemoryCatalog = SCRIPTS) -> list[tuple[str, str]]:
    checked = judged(raw, catalog)
    return [(place(one), one.message) for one in (*checked.errors, *checked.warnings)]


def script(**config: Any) -> Any:
    return acting({"action": "script.run", "config": config})


@pytest.mark.parametrize(
    "code",
    [
        "{{#each items}} {{ x | no_such_filter }} {{/each}}",
        "{{",
        "{{ artifacts.nope.thing }} {{ triger.x }} {{ variables.unset }}",
        "{% if a %}{# b #}${{ c }}",
    ],
)
def test_source_code_is_not_looked_at_and_compiles(code: str) -> None:
    raw = script(source=code)
    assert told(raw) == []
    program = compile_program(parse(raw), RENDERER, SCRIPTS)
    assert program.actions[0].config == {"source": code}  # type: ignore[union-attr] # the one call


@pytest.mark.parametrize(
    ("config", "hint"),
    [
        ({"options": {"shel": "sh"}}, "did you mean `shell`?"),
        ({"options": {"q": 1}}, "known are shell"),
        ({"steps": [{"shell": "sh"}, {"sorce": 1}]}, "known are shell"),
        ({"sorce": "x"}, "did you mean `source`?"),
    ],
)
def test_an_unknown_key_is_told_with_the_keys_of_its_own_object(config: Any, hint: str) -> None:
    (issue,) = judged(script(**config), SCRIPTS).errors
    assert issue.hint == hint


@pytest.mark.parametrize(
    ("before", "reference", "after", "words"),
    [
        ([MAKE], "run_scope.artifacts.mk.thing.id", [], None),
        ([], "run_scope.artifacts.nope.thing.id", [], "no action 'nope' before this one"),
        ([MAKE], "run_scope.artifacts.mk.thng", [], "'mk' produces `thing`, not `thng`"),
        ([MAKE], "run_scope.artifacts.mk", [], "the name of the type is missing"),
        ([], "run_scope.artifacts.mk.thing", [MAKE], "stands after this one"),
    ],
)
def test_artifacts_of_the_run_in_the_filter_of_a_wait_are_looked_for(
    before: list[Any], reference: str, after: list[Any], words: str | None
) -> None:
    wait = {"wait_for_trigger": {"event": "test.event", "filter": f"{reference} == 1"}}
    errors = judged(acting(*before, wait, *after), SCRIPTS).errors
    assert [words in one.message for one in errors if words] == ([True] if words else [])
    assert all(f"`{reference}`" in one.message for one in errors)
    assert len(errors) == (words is not None)


@pytest.mark.parametrize(
    "raw",
    [
        made(triggers=[trigger(filter="artifacts.a.b.c == 1")]),
        made(conditions=[{"not": "artifacts.a.b"}]),
        acting({"wait_for_trigger": {"event": "test.event", "filter": "artifacts.a.b"}}),
        made(triggers=[trigger(filter="{{ trigger.payload.x }}")]),
        acting({"condition": "{{ trigger.payload.a && trigger.payload.b }}"}),
        acting({"delay": {"template": "${{ trigger.payload.x }}"}}),
    ],
)
def test_what_is_refused_is_told_once(raw: Any) -> None:
    checked = judged(raw, SCRIPTS)
    assert len(checked.errors) == 1
    assert checked.warnings == []


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("'{{ trigger.payload.a && trigger.payload.b }}'", "write `trigger.payload.a and trigger."),
        ("x == '{{ !trigger.payload.a }}'", "write `not trigger.payload.a`"),
        ("'{{ trigger.payload.a | }}'", "an expression stands without braces"),
    ],
)
def test_what_is_proposed_for_braces_in_a_text_is_itself_an_expression(
    expression: str, hint: str
) -> None:
    expression = expression.replace("x ==", "trigger.payload.x ==")
    (warning,) = judged(acting({"condition": expression}), SCRIPTS).warnings
    assert (warning.hint or "").startswith(hint)


@pytest.mark.parametrize("sign", ["a && b", "!a", "a || !b"])
def test_what_is_proposed_for_a_dollar_has_the_operators_of_the_language(sign: str) -> None:
    written = sign.replace("a", "trigger.payload.a").replace("b", "trigger.payload.b")
    log = {"action": "test.log", "config": {"message": f"${{{{ {written} }}}}"}}
    (warning,) = judged(acting(log), SCRIPTS).warnings
    fixed = (warning.hint or "").removeprefix("write `").removesuffix("`")
    assert told(acting({**log, "config": {"message": fixed}})) == []


@pytest.mark.parametrize(
    "name", ["now.year", "run.id.x", "automation.name.first", "trigger.time.h"]
)
def test_a_member_of_what_is_a_text_is_a_warning(name: str) -> None:
    (warning,) = judged(acting({"condition": name}), SCRIPTS).warnings
    before, _, member = name.rpartition(".")
    assert warning.message == f"`{before}` is a text, it has no `{member}`"


def test_the_template_of_a_gate_is_held_against_the_payload_of_its_own_event() -> None:
    gate = {"event": "ticket.opened", "for": {"template": "trigger.payload.reason"}}
    (warning,) = judged(made(triggers=[gate, {"event": "ticket.closed"}])).warnings
    assert (place(warning), warning.message) == (
        "triggers.0.for.template",
        "the payload has no field `reason`",
    )
