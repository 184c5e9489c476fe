"""Names at the root of expressions: what does not exist is a fault, what is misplaced a warning."""

from collections.abc import Callable
from typing import Any

import pytest

from lockstep.catalog import Registry, build_catalog
from lockstep.model.types import ActionContext, ActionResult
from unit.definition.judging import OPEN, STOP, Json, acting, judged, made, only, place, trigger

LOG = {"action": "test.log", "config": {"message": "m"}}
PAYLOAD = "what was published is `trigger.payload`"


def told(text: str) -> Json:
    return {"action": "test.log", "config": {"message": text}}


def wait(**fields: Any) -> Json:
    return {"wait_for_trigger": {"event": "test.event", **fields}}


def warned(raw: Json) -> list[tuple[str, str, str | None]]:
    checked = judged(raw, OPEN)
    assert checked.errors == []
    return [(place(issue), issue.message, issue.hint) for issue in checked.warnings]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (made(triggers=[trigger(filter="triger.payload.x")]), "triggers.0.filter"),
        (
            made(
                triggers=[trigger(filter="true", cancel_filter="triger.x", **{"for": {"hours": 1}})]
            ),
            "triggers.0.cancel_filter",
        ),
        (made(triggers=[trigger(max_age={"template": "triger.x"})]), "triggers.0.max_age.template"),
        (made(conditions=[{"or": ["true", {"not": "triger.x"}]}]), "conditions.0.or.1.not"),
        (
            made(conditions=[{"numeric_state": {"value": "triger.x", "above": 1}}]),
            "conditions.0.numeric_state.value",
        ),
        (acting(told("a {{ now }} {{ triger.x | upper }}")), "actions.0.config.message"),
        (acting({"variables": {"a": [{"b": "{{ triger.x }}"}]}}), "actions.0.variables.a.0.b"),
        (acting({"stop": {"reason": "{{ triger.x }}"}}), "actions.0.stop.reason"),
        (acting({"condition": "now == triger.x"}), "actions.0.condition"),
        (acting(wait(filter="triger.payload.x")), "actions.0.wait_for_trigger.filter"),
        (acting(wait(context_key="{{ triger.x }}")), "actions.0.wait_for_trigger.context_key"),
        (
            acting({"repeat": {"for_each": "triger.x", "sequence": [STOP]}}),
            "actions.0.repeat.for_each",
        ),
        (acting({"enabled": False, "sequence": [told("{{ triger }}")]}), None),
    ],
)
def test_a_root_that_does_not_exist_is_a_fault_wherever_it_stands(
    raw: Json, path: str | None
) -> None:
    issue = only(raw)
    assert place(issue) == (path or "actions.0.sequence.0.config.message")
    assert (issue.message, issue.hint) == ("there is no `triger`", "did you mean `trigger`?")


def test_a_root_that_does_not_exist_is_told_beside_what_is_wrong_in_shape() -> None:
    raw = {**acting(told("{{ triger.x }}")), "mode": "sometimes"}
    assert [place(issue) for issue in judged(raw).errors] == ["mode", "actions.0.config.message"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("variabels.x", "did you mean `variables`?"),
        ("count + 1", "write `variables.count`"),
        ("count.of.it", "write `variables.count.of.it`"),
        ("cuont", "did you mean `variables.count`?"),
        ("mk.thing", "what an action has produced is `artifacts.mk`, then the name of its type"),
        ("payload.x", PAYLOAD),
        ("states.sensor", "there are events here and no states"),
        ("github.event", PAYLOAD),
        ("item", "write `repeat.item`"),
        ("outputs.a.value", "what an action has produced is `artifacts.<its id>"),
        ("secrets.TOKEN", "write `${{ secrets.NAME }}`"),
        ("zzz", "such as `trigger.payload.zzz`; there are `trigger`, `variables`, "),
    ],
)
def test_what_was_meant_is_told(text: str, hint: str) -> None:
    create = {"action": "test.create", "id": "mk"}
    issue = only(acting({"variables": {"count": 1}}, create, told(f"{{{{ {text} }}}}")))
    assert hint in (issue.hint or "")


@pytest.mark.parametrize(
    "action",
    [
        told("{{ trigger.payload.x }} {{ run.id }} {{ automation.name }} {{ now }}"),
        told("{{ trigger.actor.name }} {{ trigger.eventId }} {{ trigger.message_id }}"),
        told("{{ [1, 2] }} {{ none }} {{ True }}"),
        {"repeat": {"count": 2, "sequence": [told("{{ repeat.index }}")]}},
        {"repeat": {"while": "repeat.index < 3", "sequence": [LOG]}},
        {"repeat": {"until": "variables.done", "sequence": [{"variables": {"done": True}}]}},
        {"repeat": {"until": "wait.completed", "sequence": [wait()]}},
        {"repeat": {"count": 2, "sequence": [told("{{ wait.completed }}"), wait()]}},
        {"sequence": [wait(), told("{{ resume.payload.by }} {{ wait.payload.by }}")]},
        {"sequence": [{"parallel": [LOG, wait()]}, told("{{ wait.completed }}")]},
        {"choose": [{"when": "true", "sequence": [wait(), told("{{ wait.completed }}")]}]},
        wait(filter="trigger.payload.n == run_scope.trigger.payload.n and now"),
        {"repeat": {"count": 2, "sequence": [wait(filter="run_scope.repeat.index == 1")]}},
    ],
)
def test_names_that_are_there_are_no_warning(action: Json) -> None:
    assert warned(acting(action)) == []


NO_RUN = "missing here: no run has begun yet"
NO_WAIT = "missing here: no wait for an event can have ended before"
UNSET = "is always missing: nothing here sets it"


@pytest.mark.parametrize(
    ("raw", "path", "message", "hint"),
    [
        (
            acting(told("{{ variables.x }}")),
            "actions.0.config.message",
            f"`variables.x` {UNSET}",
            None,
        ),
        (
            acting({"variables": {"count": 1}}, {"condition": "variables.cuont > 1"}),
            "actions.1.condition",
            f"`variables.cuont` {UNSET}",
            "did you mean `variables.count`?",
        ),
        (
            acting(wait(filter="run_scope.variables.x")),
            "actions.0.wait_for_trigger.filter",
            f"`variables.x` {UNSET}",
            None,
        ),
        (acting(told("{{ repeat.item }}")), "actions.0.config.message", "in a loop only", None),
        (
            acting({"repeat": {"for_each": "repeat.item", "sequence": [LOG]}}),
            "actions.0.repeat.for_each",
            "in a loop only",
            None,
        ),
        (acting(told("{{ wait.completed }}"), wait()), "actions.0.config.message", NO_WAIT, None),
        (acting(told("{{ resume.payload.x }}")), "actions.0.config.message", NO_WAIT, None),
        (
            acting({**wait(), "enabled": False}, {"condition": "wait.completed"}),
            "actions.1.condition",
            NO_WAIT,
            None,
        ),
        (
            acting({"parallel": [wait(), told("{{ wait.payload }}")]}),
            "actions.0.parallel.1.config.message",
            NO_WAIT,
            None,
        ),
        (made(conditions=["variables.x"]), "conditions.0", f"`variables` is {NO_RUN}", None),
        (
            made(triggers=[trigger(filter="run.id")]),
            "triggers.0.filter",
            f"`run` is {NO_RUN}",
            None,
        ),
        (
            acting(wait(filter="trigger.payload.n == variables.n")),
            "actions.0.wait_for_trigger.filter",
            "`variables` is missing in the filter of a wait",
            "write `run_scope.variables.n`",
        ),
        (
            acting({"variables": {"n": 1}}, {"condition": "run_scope.variables.n"}),
            "actions.1.condition",
            "in the filter of a wait only",
            "write `variables.n`",
        ),
        (
            made(triggers=[trigger(filter="trigger.to_state.state == 'on'")]),
            "triggers.0.filter",
            "`trigger` has no `to_state`",
            "what was published is in `trigger.payload`",
        ),
        (
            made(conditions=["trigger.paylod.x"]),
            "conditions.0",
            "`trigger` has no `paylod`",
            "did you mean `trigger.payload`?",
        ),
        (
            made(conditions=["trigger.event.data.x"]),
            "conditions.0",
            "`trigger.event` is a text, it has no `data`",
            "what was published is in `trigger.payload`",
        ),
        (acting(told("{{ run.name }}")), "actions.0.config.message", "`run` has no `name`", "`id`"),
    ],
)
def test_a_name_that_means_nothing_where_it_stands_is_a_warning(
    raw: Json, path: str, message: str, hint: str | None
) -> None:
    ((where, text, meant),) = warned(raw)
    assert where == path
    assert message in text
    assert (hint or "") in (meant or "")
    assert bool(hint) == bool(meant)


def test_a_template_trigger_knows_the_time_only() -> None:
    config = {"value_template": "run.id and now", "intervalSeconds": 60}
    ((path, message, _),) = warned(
        made(triggers=[{"event": "automation.template", "config": config}])
    )
    assert path == "triggers.0.config.value_template"
    assert message == "`run` is missing here: there is `now` only"


async def _nothing(_: ActionContext) -> ActionResult:
    return ActionResult(success=True)


def _coded(registry: Registry) -> None:
    fields = {"source": {"type": "string"}, "more": {"type": "string"}}
    config = {"type": "object", "properties": fields}
    registry.action("run", config=config, code_fields=["source"])(_nothing)


def test_source_code_may_have_names_and_signs_of_its_own() -> None:
    catalog = build_catalog(open=True)
    catalog.register("script", _coded)
    text = "{{ nope.x }} {% if x %} ${{ y }}"
    checked = judged(acting({"action": "script.run", "config": {"source": text}}), catalog)
    assert (checked.errors, checked.warnings) == ([], [])
    raw = acting({"action": "script.run", "config": {"source": text, "more": text}})
    assert {place(issue) for issue in judged(raw, catalog).errors} == {"actions.0.config.more"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "{% if trigger.payload.x %}a{% endif %}",
            "`{% if trigger.payload.x %}`",
            "a if condition",
        ),
        (
            "{%- for a in b -%}{{ now }}{%- endfor -%}",
            "`{%- for a in b -%}`",
            "the action `repeat`",
        ),
        ("{% set x = 1 %}", "`{% set x = 1 %}`", "the action `variables`"),
        ("{% include 'x' %}", "`{% include 'x' %}`", "only `{{ expression }}` is a template"),
        ("{# why #} {{ now }}", "`{# why #}`", "a comment of YAML"),
        (
            "${{ trigger.payload.x }}",
            "the `$` of `${{ trigger.payload.x }}`",
            "`{{ trigger.payload",
        ),
        ("a ${{ now }} b ${{ now }}", "the `$` of `${{ now }}`", "write `{{ now }}`"),
    ],
)
@pytest.mark.parametrize(
    ("action", "path"),
    [
        (told, "config.message"),
        (lambda text: {"variables": {"a": ["x", text]}}, "variables.a.1"),
        (lambda text: {"stop": {"reason": text}}, "stop.reason"),
        (lambda text: wait(context_key=text), "wait_for_trigger.context_key"),
    ],
)
def test_signs_of_other_templates_are_warnings(
    action: Callable[[str], Json], path: str, text: str, message: str, hint: str
) -> None:
    ((where, told_of, meant),) = warned(acting(action(text)))
    assert where == f"actions.0.{path}"
    assert message in told_of
    assert "means nothing, it stays text" in told_of
    assert hint in (meant or "")


@pytest.mark.parametrize(
    "text", ["100 % of {x}", "{ % }", "$ {{ now }}", "#{{ now }}", "a {#", "%}"]
)
def test_signs_that_only_look_like_it_are_no_warning(text: str) -> None:
    assert warned(acting(told(text))) == []


def test_braces_in_a_text_inside_of_an_expression_are_a_warning() -> None:
    text = "'{{ trigger.payload.state }}' == 'on'"
    ((path, message, hint),) = warned(made(conditions=[text]))
    assert path == "conditions.0"
    assert "`{{ trigger.payload.state }}` is no template in the text of an expression" in message
    assert (hint or "").startswith("write `trigger.payload.state`, no quotes around it")
    assert warned(made(conditions=["trigger.payload.x == '{{'"])) == []


@pytest.mark.parametrize(
    "text", ["{{ now }}", "{{ trigger.payload.x == 'on' }}", "'a' ~ {{ now }} ~ 'b'"]
)
def test_braces_that_are_refused_are_not_warned_of_too(text: str) -> None:
    checked = judged(made(conditions=[text]), OPEN)
    assert (len(checked.errors), checked.warnings) == (1, [])
