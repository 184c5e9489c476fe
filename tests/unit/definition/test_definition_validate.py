"""A definition is judged by the catalog and the language: each fault, at its place, with a hint."""

import re
from typing import Any

import msgspec
import pytest
import yaml

from effort import at_most
from lockstep.catalog import build_catalog, trigger_type
from lockstep.definition.stored import DefinitionRefused, parse
from lockstep.definition.validate import check_source, outdated, validate
from lockstep.model.errors import RenderError
from lockstep.render import Renderer
from lockstep_schemas.registration import TriggerRegister
from unit.definition.judging import (
    CATALOG,
    OPEN,
    RENDERER,
    STOP,
    Json,
    acting,
    errors,
    judged,
    made,
    only,
    place,
    places,
    trigger,
)

LOG = {"action": "test.log", "config": {"message": "m"}}
CREATE = {"action": "test.create", "id": "mk"}


def told(text: str) -> Json:
    return {"action": "test.log", "config": {"message": text}}


def wait(**fields: Any) -> Json:
    return {"wait_for_trigger": {"event": "test.event", **fields}}


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (made(triggers=[trigger(), {"event": "test.evnt"}]), "triggers.1.event"),
        (acting(wait(event="test.evnt")), "actions.0.wait_for_trigger.event"),
    ],
)
def test_an_unknown_event_is_refused_where_events_are_declared(raw: Json, path: str) -> None:
    issue = only(raw)
    assert ".".join(map(str, issue.path)) == path
    assert issue.message == "unknown event 'test.evnt'"
    assert (issue.hint or "").startswith("did you mean `test.event`? Else register it: ")
    assert errors(raw, OPEN) == []


def test_an_unknown_event_is_told_with_the_ways_to_register_it() -> None:
    hint = only(made(triggers=[{"event": "shop.order"}])).hint or ""
    for way in ("`lockstep apply`", "`catalog.triggers.register`", "`engine.catalog` to `open`"):
        assert way in hint
    (document,) = re.findall(r"`(trigger_types: [^`]*)`", hint)
    (register,) = yaml.safe_load(document)["trigger_types"]
    catalog = build_catalog(open=False)
    catalog.put_trigger(trigger_type(msgspec.convert(register, TriggerRegister), "apply"))
    assert errors(made(triggers=[{"event": "shop.order"}]), catalog) == []


def test_an_event_of_the_engine_itself_cannot_be_registered_and_is_told_with_those_there_are() -> (
    None
):
    hint = only(made(triggers=[{"event": "automation.daily"}])).hint or ""
    assert hint == "known are automation.cron, automation.interval, automation.template"


def test_an_unknown_action_is_told_with_the_ways_to_register_it() -> None:
    hint = only(acting({"action": "no.such"})).hint or ""
    for way in ("`catalog.actions.register`", "plug-in", "`lockstep catalog actions`"):
        assert way in hint


@pytest.mark.parametrize(
    ("config", "path", "message"),
    [
        (None, ".intervalSeconds", "`intervalSeconds` is missing"),
        ({}, ".intervalSeconds", "`intervalSeconds` is missing"),
        ({"intervalSeconds": 0}, ".intervalSeconds", "expected >= 1"),
        ({"intervalSeconds": "5"}, ".intervalSeconds", "integer"),
        ({"intervalSeconds": "{{ 5 }}"}, ".intervalSeconds", "integer"),
        ({"intervalSeconds": 5, "intervalSecond": 1}, "", "unknown key `intervalSecond`"),
    ],
)
def test_the_config_of_a_trigger_is_checked_strictly(
    config: Json | None, path: str, message: str
) -> None:
    ((found, text),) = errors(made(triggers=[{"event": "test.fired", "config": config}]))
    assert found == f"triggers.0.config{path}"
    assert message in text


def test_a_trigger_without_schema_takes_no_config() -> None:
    ((path, message),) = errors(made(triggers=[trigger(config={"a": 1})]))
    assert (path, message) == ("triggers.0.config", "'test.event' takes no config, got `a`")
    assert errors(made(triggers=[trigger(config={})])) == []
    assert errors(made(triggers=[{"event": "any.thing", "config": {"a": 1}}]), OPEN) == []


def test_an_unknown_action_is_refused_everywhere() -> None:
    for catalog in (CATALOG, OPEN):
        issue = only(acting({"action": "test.lgo"}), catalog)
        assert issue.path == ["actions", 0, "action"]
        assert issue.message == "unknown action 'test.lgo'"
        assert (issue.hint or "").startswith("did you mean `test.log`? Else register it: ")


@pytest.mark.parametrize(
    ("config", "path", "message"),
    [
        ({}, ".message", "`message` is missing"),
        ({"message": ""}, ".message", "at least 1"),
        ({"message": 5}, ".message", "expected string"),
        ({"message": None}, ".message", "expected string"),
        ({"message": "m", "level": "loud"}, ".level", "'debug', 'error', 'info', 'warn'"),
        ({"message": "m", "levle": "info"}, "", "unknown key `levle`"),
        ({"message": ["{{ now }}"]}, ".message", "expected string"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_the_config_of_an_action_is_checked_strictly(
    config: Json, path: str, message: str, enabled: bool
) -> None:
    ((found, text),) = errors(acting({"action": "test.log", "config": config, "enabled": enabled}))
    assert found == f"actions.0.config{path}"
    assert message in text


def test_an_unknown_key_of_a_config_is_told_what_was_meant() -> None:
    issue = only(acting({"action": "test.log", "config": {"message": "m", "levle": "info"}}))
    assert issue.hint == "did you mean `level`?"


@pytest.mark.parametrize(
    "config",
    [
        {"message": "{{ trigger.payload.x }}", "level": "{{ variables.level }}"},
        {"message": "${{ secrets.TOKEN }}"},
        {"message": "  ${{secrets.TOKEN}} "},
        {"message": "{% if %} {# #} {"},
    ],
)
def test_what_is_rendered_later_is_not_judged_now(config: Json) -> None:
    assert errors(acting({"action": "test.log", "config": config})) == []


def test_a_templated_number_is_left_for_run_time() -> None:
    assert errors(acting({"action": "test.slow", "config": {"seconds": "{{ now }}"}})) == []
    assert places(acting({"action": "test.slow", "config": {"seconds": "x"}})) == [
        "actions.0.config.seconds"
    ]


def test_a_text_that_only_looks_like_a_secret_is_compiled() -> None:
    assert places(acting(told("${{ 1 + }}"))) == ["actions.0.config.message"]
    assert places(acting(told("${{ secrets.A }} {{ 1 + }}"))) == ["actions.0.config.message"]


def test_the_content_of_a_disabled_action_is_judged_too() -> None:
    raw = acting({"enabled": False, "sequence": [{"action": "test.nope"}, {"condition": "a b"}]})
    assert places(raw) == ["actions.0.sequence.1.condition", "actions.0.sequence.0.action"]


def test_ids_are_unique_in_an_automation_at_any_depth() -> None:
    raw = acting(
        {**STOP, "id": "a"},
        {"id": "b", "sequence": [{**LOG, "id": "a"}]},
        {"enabled": False, "parallel": [{**LOG, "id": "b"}]},
    )
    assert places(raw) == ["actions.1.sequence.0.id", "actions.2.parallel.0.id"]
    same = made(triggers=[trigger(id="a"), trigger(id="b"), trigger(id="a"), trigger(id="A")])
    assert places(same) == ["triggers.2.id"]


def test_what_produces_an_artifact_needs_an_id_and_is_judged_all_the_same() -> None:
    raw = acting({"action": "test.record", "config": {"valu": "x"}})
    assert sorted(places(raw)) == ["actions.0.config", "actions.0.config.value", "actions.0.id"]
    assert errors(acting(CREATE)) == []


@pytest.mark.parametrize(
    ("actions", "path", "message"),
    [
        ([told("{{ artifacts.mk.thing.x }}"), CREATE], "actions.0", "stands after this one"),
        ([CREATE, told("{{ artifacts.no.thing }}")], "actions.1", "no action 'no' before"),
        ([CREATE, told("{{ artifacts.mk.found }}")], "actions.1", "produces `thing`, not `found`"),
        ([CREATE, told("{{ artifacts.mk }}")], "actions.1", "write `artifacts.mk.thing`"),
        ([{**LOG, "id": "mk"}, told("{{ artifacts.mk.x }}")], "actions.1", "no action 'mk'"),
        ([{**CREATE, **told("{{ artifacts.mk.thing }}")}], "actions.0", "no action 'mk'"),
    ],
)
def test_a_reference_to_no_artifact_is_refused(
    actions: list[Json], path: str, message: str
) -> None:
    ((found, text),) = errors(acting(*actions))
    assert found == f"{path}.config.message"
    assert message in text


USE = told("{{ artifacts.mk.thing.x }}")


@pytest.mark.parametrize(
    "actions",
    [
        [CREATE, USE],
        [CREATE, {"sequence": [{"parallel": [USE]}]}],
        [{"choose": [{"when": "true", "sequence": [CREATE]}], "else": [USE]}, USE],
        [{"choose": [{"when": "now", "sequence": [STOP]}], "else": [CREATE]}, USE],
        [{"parallel": [CREATE, USE]}],
        [{"enabled": False, "sequence": [CREATE]}, USE],
        [{"repeat": {"count": 2, "sequence": [CREATE, USE]}}, USE],
        [{"repeat": {"until": "artifacts.mk.thing.done", "sequence": [CREATE]}}],
        [CREATE, {"condition": {"not": "artifacts['mk'].thing"}}],
        [
            {
                "choose": [
                    {"when": "now", "sequence": [CREATE]},
                    {"when": "artifacts.mk.thing", "sequence": [STOP]},
                ]
            }
        ],
    ],
)
def test_a_reference_to_what_was_produced_before_in_any_branch_is_taken(
    actions: list[Json],
) -> None:
    assert errors(acting(*actions)) == []


@pytest.mark.parametrize(
    ("actions", "path"),
    [
        (
            [{"repeat": {"while": "artifacts.mk.thing.x", "sequence": [CREATE]}}],
            "actions.0.repeat.while",
        ),
        (
            [{"choose": [{"when": {"not": "artifacts.mk.thing"}, "sequence": [CREATE]}]}],
            "actions.0.choose.0.when.not",
        ),
        ([{"repeat": {"count": 2, "sequence": [USE, CREATE]}}], None),
        ([{"enabled": False, **USE}, CREATE], None),
    ],
)
def test_a_reference_to_what_comes_later_is_refused_in_nested_places_too(
    actions: list[Json], path: str | None
) -> None:
    ((found, message),) = errors(acting(*actions))
    assert path in {None, found}
    assert "stands after this one" in message


def test_triggers_and_conditions_have_no_artifacts() -> None:
    use = "artifacts.mk.thing.x"
    raw = made(triggers=[trigger(filter=use)], conditions=[use], actions=[CREATE])
    assert places(raw) == ["triggers.0.filter", "conditions.0"]


BRACED = "{{ a }}"
BARE_PLACES = [
    (made(triggers=[trigger(filter=BRACED)]), "triggers.0.filter"),
    (
        made(triggers=[trigger(cancel_filter=BRACED, **{"for": {"seconds": 1}})]),
        "triggers.0.cancel_filter",
    ),
    (made(triggers=[trigger(**{"for": {"template": BRACED}})]), "triggers.0.for.template"),
    (made(triggers=[trigger(max_age={"template": BRACED})]), "triggers.0.max_age.template"),
    (
        made(triggers=[trigger(window={"count": 1, "minutes": 1, "partition_by": BRACED})]),
        "triggers.0.window.partition_by",
    ),
    (made(conditions=[BRACED]), "conditions.0"),
    (made(conditions=[{"or": ["now", {"not": BRACED}]}]), "conditions.0.or.1.not"),
    (
        made(conditions=[{"numeric_state": {"value": BRACED, "above": 1}}]),
        "conditions.0.numeric_state.value",
    ),
    (acting({"condition": {"and": [BRACED]}}), "actions.0.condition.and.0"),
    (acting({"choose": [{"when": BRACED, "sequence": [STOP]}]}), "actions.0.choose.0.when"),
    (acting({"repeat": {"for_each": BRACED, "sequence": [STOP]}}), "actions.0.repeat.for_each"),
    (acting({"repeat": {"while": BRACED, "sequence": [STOP]}}), "actions.0.repeat.while"),
    (acting({"repeat": {"until": BRACED, "sequence": [STOP]}}), "actions.0.repeat.until"),
    (acting({"delay": {"template": BRACED}}), "actions.0.delay.template"),
    (acting(wait(filter=BRACED)), "actions.0.wait_for_trigger.filter"),
]


@pytest.mark.parametrize(("raw", "path"), BARE_PLACES)
def test_braces_in_a_bare_expression_are_refused_with_what_to_write(raw: Json, path: str) -> None:
    issue = only(raw)
    assert ".".join(map(str, issue.path)) == path
    assert "a bare expression has no braces" in issue.message
    assert issue.hint == "write `a`"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (acting({"stop": {"reason": "{{ a b }}"}}), "actions.0.stop.reason"),
        (acting(wait(context_key="{{ a +")), "actions.0.wait_for_trigger.context_key"),
        (acting({"variables": {"a": [{"b": "{{ 1 + }}"}]}}), "actions.0.variables.a.0.b"),
        (acting(told("{{ x | nofilter }}")), "actions.0.config.message"),
        (made(conditions=["a && b"]), "conditions.0"),
    ],
)
def test_every_expression_and_template_is_compiled(raw: Json, path: str) -> None:
    assert places(raw) == [path]
    assert "line" in only(raw).message


def test_faults_of_language_are_told_even_where_the_shape_of_another_part_is_wrong() -> None:
    broken = {"choose": [{"when": BRACED, "sequence": [{"x": 1}, {"condition": "a b"}]}]}
    raw = {
        "nam": "x",
        "triggers": [trigger(filter=BRACED), {"event": "test.evnt"}, {"event": 5}],
        "conditions": [BRACED, ""],
        "actions": [
            broken,
            {"repeat": {"count": 0, "sequence": [{"action": "test.nope"}]}},
            {"parallel": [told("{{"), {"else": 1, "sequence": [told("{{")]}], "else": []},
        ],
    }
    assert set(places(raw)) == {
        "",
        "name",
        "triggers.0.filter",
        "triggers.1.event",
        "triggers.2.event",
        "conditions.0",
        "conditions.1",
        "actions.0.choose.0.when",
        "actions.0.choose.0.sequence.0",
        "actions.0.choose.0.sequence.1.condition",
        "actions.1.repeat.count",
        "actions.1.repeat.sequence.0.action",
        "actions.2",
        "actions.2.parallel.0.config.message",
        "actions.2.parallel.1",
        "actions.2.parallel.1.sequence.0.config.message",
    }


def test_no_fault_is_told_twice() -> None:
    raw = {**made(conditions=[BRACED, ""]), "actions": [{"sequence": [{"condition": "a b"}, {}]}]}
    found = errors(raw)
    assert len(found) == len(set(found)) == 4


def test_issues_have_the_place_of_the_text() -> None:
    text = """\
name: x
triggers:
  - event: test.evnt
actions:
  - sequence:
      - action: test.log
        config: {message: m, levle: x}
      - action: test.log
"""
    found = check_source(text, CATALOG, RENDERER).errors
    assert [(issue.line, issue.column, issue.path[-1]) for issue in found] == [
        (3, 5, "event"),
        (7, 30, "config"),
        (8, 9, "message"),
    ]
    under = validate({"name": ""}, CATALOG, RENDERER).errors
    assert {(issue.line, issue.column) for issue in under} == {(None, None)}


def test_only_a_right_definition_is_given() -> None:
    assert judged(acting(LOG)).definition == parse(acting(LOG))
    assert judged(acting({"action": "test.log"})).definition is None


def test_a_stored_definition_of_another_language_is_refused() -> None:
    with pytest.raises(DefinitionRefused, match=r"actions\[0\]: the action has no kind"):
        parse(acting({"later": 1}))
    with pytest.raises(DefinitionRefused, match="definition: expected an object"):
        parse(None)


def test_all_of_the_language_is_taken() -> None:
    some = [{"action": "test.consumer", "retry": {"attempts": 2}}, {"delay": {"seconds": 1}}]
    raw = {**acting(*some, wait()), "mode": "queued", "max_duration_seconds": 5}
    held = trigger(window={"count": 1, "minutes": 1}, **{"for": {"seconds": 1}})
    assert errors({**raw, "triggers": [held]}) == []


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("(?=a)b", "look-around"), (r"(a)\\1", "back-reference"), ("a++", "possessive")],
)
def test_a_pattern_that_cannot_run_in_linear_time_is_refused_with_what_to_write(
    pattern: str, told: str
) -> None:
    text = f"trigger.payload.name | regex_match('{pattern}')"
    issue = only(made(triggers=[trigger(filter=text)]))
    assert place(issue) == "triggers.0.filter"
    assert told in issue.message
    assert issue.hint
    stored = made(triggers=[trigger(filter=text)])
    assert [one.message for one in outdated(stored, RENDERER)]


def test_a_stored_definition_without_such_a_pattern_is_not_outdated() -> None:
    text = r"trigger.payload.name | regex_match('\\d+$')"
    assert outdated(made(triggers=[trigger(filter=text)]), RENDERER) == []


def test_a_definition_that_takes_too_long_to_look_at_is_refused_and_says_from_where() -> None:
    raw = made(
        triggers=[
            trigger(id=f"t{number}", filter=f"trigger.payload.x{number}") for number in range(9)
        ]
    )
    found = validate(raw, OPEN, RENDERER, seconds=-1.0).errors
    assert [place(issue) for issue in found] == ["triggers.0.filter"]
    assert "takes too long" in found[0].message
    assert validate(raw, OPEN, RENDERER).errors == []


def test_a_text_that_is_wrong_is_tried_once_however_often_it_stands_there() -> None:
    wrong = [trigger(id=f"t{number}", filter="x | uper") for number in range(3000)]
    renderer = Renderer(keeps_faults=True)
    with at_most(calls=3_000_000):  # each try alone looks at all names of filters
        found = validate(made(triggers=wrong), OPEN, renderer)
    assert len(found.errors) == 501
    with pytest.raises(RenderError) as first:
        renderer.expression("x | uper")
    with pytest.raises(RenderError) as second:
        renderer.expression("x | uper")
    assert first.value is second.value
