"""An action has one kind; a condition is a text or has one key; both nest within bounds."""

from typing import Any

import pytest

from lockstep_schemas.actions import KINDS
from unit.definition.judging import STOP, Json, acting, errors, judged, made, only, places

NO_LIST: list[Any] = [None, "x", {}, 5]
BODIES = [
    lambda inner: ({"choose": [{"when": "true", "sequence": inner}]}, "choose.0.sequence"),
    lambda inner: ({"choose": [{"when": "true", "sequence": [STOP]}], "else": inner}, "else"),
    lambda inner: ({"parallel": inner}, "parallel"),
    lambda inner: ({"sequence": inner}, "sequence"),
    lambda inner: ({"repeat": {"count": 1, "sequence": inner}}, "repeat.sequence"),
]
MINIMAL: dict[str, Json] = {
    "action": {"action": "test.consumer"},
    "choose": {"choose": [{"when": "true", "sequence": [STOP]}]},
    "parallel": {"parallel": [STOP]},
    "sequence": {"sequence": [STOP]},
    "delay": {"delay": {"seconds": 0}},
    "repeat": {"repeat": {"count": 1, "sequence": [STOP]}},
    "variables": {"variables": {"a": None}},
    "condition": {"condition": "true"},
    "stop": {"stop": {}},
    "wait_for_trigger": {"wait_for_trigger": {"event": "test.event"}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_by_its_key(kind: str) -> None:
    checked = judged(acting({"enabled": False, "continue_on_error": True, **MINIMAL[kind]}))
    assert checked.errors == []
    assert checked.definition is not None
    assert isinstance(checked.definition.actions[0], KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_two_kinds_in_one_action_are_refused(kind: str) -> None:
    other = "stop" if kind != "stop" else "delay"
    issue = only(acting({**MINIMAL[kind], **MINIMAL[other]}))
    assert issue.path == ["actions", 0]
    assert issue.message == f"one kind is expected, got `{kind}` and `{other}`"


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        ({}, "kinds are action, choose"),
        ({"id": "a", "description": "d"}, "kinds are action, choose"),
        ({"else": []}, "kinds are action, choose"),
        ({"acton": "a.b", "config": {}}, "did you mean `action`?"),
        ({"chose": []}, "did you mean `choose`?"),
        ({"variable": {}}, "did you mean `variables`?"),
        ({"wait_for_triger": {}}, "did you mean `wait_for_trigger`?"),
    ],
)
def test_an_action_without_kind_is_refused_with_what_was_meant(raw: Json, hint: str) -> None:
    issue = only(acting(raw))
    assert (issue.path, issue.message) == (["actions", 0], "the action has no kind")
    assert (issue.hint or "").startswith(hint)


@pytest.mark.parametrize("raw", [None, "stop", 5, [], True])
def test_an_action_is_an_object(raw: Any) -> None:
    assert only(acting(raw)).message.startswith("expected an action (an object), got ")


@pytest.mark.parametrize("body", BODIES)
def test_faults_in_a_body_have_the_path_of_the_body(body: Any) -> None:
    action, place = body([STOP, {"condition": ""}, {"x": 1}])
    assert places(acting(STOP, action)) == [
        f"actions.1.{place}.1.condition",
        f"actions.1.{place}.2",
    ]


@pytest.mark.parametrize("wrong", NO_LIST)
@pytest.mark.parametrize("body", BODIES)
def test_a_body_is_a_list(body: Any, wrong: Any) -> None:
    action, place = body(wrong)
    path, message = errors(acting(action))[0]
    assert path == f"actions.0.{place}"
    assert message.startswith("expected a list, got ")


@pytest.mark.parametrize("body", BODIES)
def test_only_else_may_be_empty(body: Any) -> None:
    action, place = body([])
    empty = [] if place == "else" else [f"actions.0.{place}"]
    assert places(acting(action)) == empty
    assert places(acting({"choose": []})) == ["actions.0.choose"]


def test_actions_nest_to_sixty_four_and_no_deeper() -> None:
    action: Json = STOP
    for _ in range(63):
        action = {"sequence": [action]}
    assert errors(acting(action)) == []
    ((path, message),) = errors(acting({"sequence": [action]}))
    assert path == "actions.0" + ".sequence.0" * 64
    assert message == "actions are nested deeper than 64"


@pytest.mark.parametrize("depth", [90, 250, 3000])
def test_nesting_without_end_is_an_issue_and_no_error_of_python(depth: int) -> None:
    action: Any = STOP
    condition: Any = "true"
    value: Any = 1
    for _ in range(depth):
        action, condition, value = {"sequence": [action]}, {"not": condition}, [value]
    assert errors(acting(action))
    assert errors(made(conditions=[condition]))
    too_deep = depth > 200
    assert bool(errors(acting({"variables": {"a": value}}))) == too_deep
    assert errors(value)[0][1] == ("nested deeper than 200" if too_deep else NOT_AN_OBJECT)


NOT_AN_OBJECT = "expected an object, got a list"


def test_conditions_nest_to_thirty_two_and_no_deeper() -> None:
    condition: Any = "true"
    for _ in range(32):
        condition = {"and": [condition]}
    assert errors(made(conditions=[condition])) == []
    ((path, message),) = errors(made(conditions=[{"not": condition}]))
    assert path == "conditions.0.not" + ".and.0" * 31
    assert message == "conditions are nested deeper than 32"


PLACES = [
    (lambda c: made(conditions=["true", c]), "conditions.1"),
    (lambda c: acting({"condition": c}), "actions.0.condition"),
    (lambda c: acting({"choose": [{"when": c, "sequence": [STOP]}]}), "actions.0.choose.0.when"),
    (lambda c: made(conditions=[{"or": ["true", {"not": c}]}]), "conditions.0.or.1.not"),
]


@pytest.mark.parametrize(("make", "path"), PLACES)
@pytest.mark.parametrize(
    ("condition", "inside", "message"),
    [
        ("", "", "a condition must not be empty"),
        (" \n", "", "a condition must not be empty"),
        ({}, "", "got an empty object"),
        (None, "", "got null"),
        (True, "", "got true"),
        (["true"], "", "got a list"),
        ({"and": ["true"], "or": ["true"]}, "", "got `and`, `or`"),
        ({"nott": "true"}, "", "got `nott`"),
        ({"and": []}, ".and", "with at least 1 condition"),
        ({"or": "true"}, ".or", "with at least 1 condition"),
        ({"not": ["true"]}, ".not", "got a list"),
        ({"and": ["true", ""]}, ".and.1", "must not be empty"),
        ({"numeric_state": 5}, ".numeric_state", "expected an object"),
        ({"numeric_state": {"value": 1}}, ".numeric_state", "`above`, `below`"),
        ({"numeric_state": {"above": 1}}, ".numeric_state.value", "`value` is missing"),
        ({"numeric_state": {"value": "", "above": 1}}, ".numeric_state.value", "an empty text"),
        ({"numeric_state": {"value": True, "above": 1}}, ".numeric_state.value", "got true"),
        ({"numeric_state": {"value": 1, "above": "1"}}, ".numeric_state.above", "a number"),
        ({"numeric_state": {"value": 1, "below": False}}, ".numeric_state.below", "got false"),
        ({"numeric_state": {"value": 1, "below": 2, "abov": 1}}, ".numeric_state", "`abov`"),
        ({"time": {}}, ".time", "`after`, `before`, `weekday`"),
        ({"time": {"timezone": "UTC"}}, ".time", "`after`, `before`, `weekday`"),
        ({"time": {"after": "24:00"}}, ".time.after", "HH:MM"),
        ({"time": {"after": "9:00"}}, ".time.after", "HH:MM"),
        ({"time": {"before": "09:60"}}, ".time.before", "HH:MM"),
        ({"time": {"before": "09:00\n"}}, ".time.before", "HH:MM"),
        ({"time": {"after": 930}}, ".time.after", "got 930"),
        ({"time": {"weekday": []}}, ".time.weekday", "at least 1 item"),
        ({"time": {"weekday": 1}}, ".time.weekday", "a list"),
        ({"time": {"weekday": [0, 7]}}, ".time.weekday.1", "from 0 to 6, got 7"),
        ({"time": {"weekday": [True]}}, ".time.weekday.0", "from 0 to 6, got true"),
        ({"time": {"after": "09:00", "timezone": "Mars/X"}}, ".time.timezone", "unknown time zone"),
        ({"time": {"after": "09:00", "timezone": "../UTC"}}, ".time.timezone", "unknown time zone"),
        ({"time": {"after": "09:00", "timezone": "a\0"}}, ".time.timezone", "unknown time zone"),
        ({"time": {"after": "09:00", "timezone": None}}, ".time.timezone", "got null"),
        ({"time": {"after": "09:00", "zone": "UTC"}}, ".time", "unknown key `zone`"),
    ],
)
def test_a_wrong_condition_is_refused_where_it_is_wrong(
    make: Any, path: str, condition: Any, inside: str, message: str
) -> None:
    issue = only(make(condition))
    assert ".".join(map(str, issue.path)) == path + inside
    assert message in issue.message


def test_a_condition_that_is_misspelt_is_told_what_was_meant() -> None:
    assert only(made(conditions=[{"numeric": {}}])).hint == "did you mean `numeric_state`?"
    assert only(made(conditions=[{"nott": "a"}])).hint == "did you mean `not`?"
