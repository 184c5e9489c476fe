"""Every field has its type and bounds; what is wrong is told at its exact path."""

from typing import Any

import pytest

from unit.definition.judging import STOP, Json, acting, errors, judged, made, only, places, trigger


def in_trigger(fields: Json) -> Json:
    return made(triggers=[trigger(**fields)])


def in_action(fields: Json) -> Json:
    return acting({"action": "test.consumer", **fields})


def in_retry(fields: Json) -> Json:
    return in_action({"retry": fields})


def in_repeat(fields: Json) -> Json:
    return acting({"repeat": {"count": 1, "sequence": [STOP], **fields}})


def in_while(fields: Json) -> Json:
    return acting({"repeat": {"while": "true", "sequence": [STOP], **fields}})


def in_wait(fields: Json) -> Json:
    return acting({"wait_for_trigger": {"event": "test.event", **fields}})


def in_window(fields: Json) -> Json:
    return in_trigger({"window": {"count": 1, "minutes": 1, **fields}})


def in_hold(fields: Json) -> Json:
    return in_trigger({"for": fields})


def in_delay(fields: Json) -> Json:
    return acting({"delay": fields})


def in_stop(fields: Json) -> Json:
    return acting({"stop": fields})


def in_branch(fields: Json) -> Json:
    return acting({"choose": [{"when": "true", "sequence": [STOP], **fields}]})


def in_definition(fields: Json) -> Json:
    return made(**fields)


PLACES: dict[Any, str] = {
    in_definition: "",
    in_trigger: "triggers.0",
    in_window: "triggers.0.window",
    in_hold: "triggers.0.for",
    in_action: "actions.0",
    in_retry: "actions.0.retry",
    in_repeat: "actions.0.repeat",
    in_while: "actions.0.repeat",
    in_wait: "actions.0.wait_for_trigger",
    in_delay: "actions.0.delay",
    in_stop: "actions.0.stop",
    in_branch: "actions.0.choose.0",
}
NUMBERS = [
    (in_definition, "max_runs", 1, 1000),
    (in_definition, "max_duration_seconds", 1, 31536000),
    (in_window, "count", 1, 1000),
    (in_window, "minutes", 1, 1440),
    (in_hold, "seconds", 1, 2592000),
    (in_hold, "minutes", 1, 43200),
    (in_hold, "hours", 1, 720),
    (in_action, "timeout_seconds", 1, 86400),
    (in_retry, "attempts", 1, 100),
    (in_repeat, "count", 1, 10000),
    (in_while, "max_iterations", 1, 10000),
    (in_delay, "seconds", 0, 86400),
    (in_wait, "timeout_seconds", 1, 2592000),
]


def path_of(make: Any, *names: str) -> str:
    return ".".join(part for part in (PLACES[make], *names) if part)


@pytest.mark.parametrize(("make", "name", "low", "high"), NUMBERS)
def test_an_integer_is_taken_within_its_bounds_only(
    make: Any, name: str, low: int, high: int
) -> None:
    for right in (low, high):
        assert errors(make({name: right})) == []
    wrongs: tuple[Any, ...] = (low - 1, high + 1, low + 0.5, True, False, str(low), [], {}, 10**30)
    for wrong in wrongs:
        ((path, message),) = errors(make({name: wrong}))
        assert path == path_of(make, name)
        assert message.startswith(f"expected an integer from {low} to {high}, got ")


@pytest.mark.parametrize("name", ["delay_seconds", "max_delay_seconds"])
def test_the_waits_of_a_retry_may_be_fractional(name: str) -> None:
    for right in (0, 0.25, 86400):
        assert errors(in_retry({name: right})) == []
    for wrong in (-0.1, 86400.5, True, "1", None):
        ((path, message),) = errors(in_retry({name: wrong}))
        assert path == f"actions.0.retry.{name}"
        assert message.startswith("expected a number from 0 to 86400, got ")


@pytest.mark.parametrize(
    ("make", "name", "meant"),
    [
        (in_definition, "trigers", "triggers"),
        (in_definition, "max_run", "max_runs"),
        (in_trigger, "filtr", "filter"),
        (in_trigger, "cancel_filtr", "cancel_filter"),
        (in_window, "partition", "partition_by"),
        (in_action, "continue_on_eror", "continue_on_error"),
        (in_action, "confg", "config"),
        (in_action, "timeout_second", "timeout_seconds"),
        (in_retry, "attempt", "attempts"),
        (in_retry, "back_off", "backoff"),
        (in_repeat, "max_iteration", "max_iterations"),
        (in_wait, "continue_on_timout", "continue_on_timeout"),
        (in_stop, "reson", "reason"),
        (in_branch, "sequenc", "sequence"),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(
    make: Any, name: str, meant: str
) -> None:
    issue = only(make({name: 1}))
    assert ".".join(map(str, issue.path)) == path_of(make)
    assert (issue.message, issue.hint) == (f"unknown key `{name}`", f"did you mean `{meant}`?")


@pytest.mark.parametrize("make", PLACES)
def test_an_unknown_key_that_is_near_to_none_is_told_with_those_there_are(make: Any) -> None:
    issues = judged(make({"qqq": 1})).errors
    assert (issues[0].path, issues[0].message) == (
        [int(part) if part.isdigit() else part for part in PLACES[make].split(".") if part],
        "unknown key `qqq`",
    )
    assert (issues[0].hint or "").startswith("known are ")


@pytest.mark.parametrize(
    ("raw", "missing"),
    [
        ({}, ["name", "triggers"]),
        (made(triggers=[{}]), ["triggers.0.event"]),
        (in_trigger({"window": {}}), ["triggers.0.window.count", "triggers.0.window.minutes"]),
        (acting({"choose": [{}]}), ["actions.0.choose.0.when", "actions.0.choose.0.sequence"]),
        (acting({"repeat": {"count": 1}}), ["actions.0.repeat.sequence"]),
        (acting({"wait_for_trigger": {}}), ["actions.0.wait_for_trigger.event"]),
    ],
)
def test_a_missing_key_is_told_at_its_own_path(raw: Json, missing: list[str]) -> None:
    assert errors(raw) == [(path, f"`{path.split('.')[-1]}` is missing") for path in missing]


@pytest.mark.parametrize("raw", [None, [], "name: x", 5, True, [made()]])
def test_a_definition_is_an_object(raw: Any) -> None:
    ((path, message),) = errors(raw)
    assert (path, message.partition(",")[0]) == ("", "expected an object")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (in_trigger, "window"),
        (in_trigger, "for"),
        (in_action, "retry"),
        (in_definition, "triggers"),
        (in_definition, "conditions"),
        (in_definition, "actions"),
        (in_action, "config"),
        (in_trigger, "config"),
    ],
)
def test_an_object_or_list_is_no_text(make: Any, name: str) -> None:
    for wrong in ("x", 5, True):
        assert places(make({name: wrong})) == [path_of(make, name)]


@pytest.mark.parametrize("name", ["delay", "repeat", "stop", "wait_for_trigger", "variables"])
@pytest.mark.parametrize("wrong", [None, "x", 5, []])
def test_what_a_kind_holds_is_an_object(name: str, wrong: Any) -> None:
    path, message = errors(acting({name: wrong}))[0]
    assert path == f"actions.0.{name}"
    assert message.startswith("expected an object")


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (made(name=""), "name", "got an empty text"),
        (made(name="x" * 201), "name", "of 1 to 200 characters"),
        (made(name=None), "name", "got null"),
        (made(description=5), "description", "expected a text, got 5"),
        (made(triggers=[]), "triggers", "at least 1 item"),
        (made(triggers=[None]), "triggers.0", "expected an object, got null"),
        (made(mode="all"), "mode", "one of `single`, `parallel`, `queued`, `restart`"),
        (made(concurrency_scope="run"), "concurrency_scope", "`automation`, `context_key`"),
        (in_trigger({"event": ""}), "triggers.0.event", "got an empty text"),
        (in_trigger({"event": "a..b"}), "triggers.0.event", "dot-separated words"),
        (in_trigger({"event": "a b"}), "triggers.0.event", "dot-separated words"),
        (in_trigger({"event": "test.event\n"}), "triggers.0.event", "dot-separated words"),
        (in_trigger({"event": "a" * 257}), "triggers.0.event", "at most 256"),
        (in_trigger({"id": "1a"}), "triggers.0.id", "A letter, then"),
        (in_trigger({"id": "a\n"}), "triggers.0.id", "A letter, then"),
        (in_trigger({"id": ""}), "triggers.0.id", "A letter, then"),
        (in_trigger({"id": "a" * 65}), "triggers.0.id", "at most 64"),
        (in_trigger({"filter": 5}), "triggers.0.filter", "expected a text, got 5"),
        (in_trigger({"filter": True}), "triggers.0.filter", "expected a text, got true"),
        (in_window({"refire": "twice"}), "triggers.0.window.refire", "`every`, `once`"),
        (in_window({"partition_by": " "}), "triggers.0.window.partition_by", "not empty"),
        (in_hold({"template": ""}), "triggers.0.for.template", "not empty"),
        (in_action({"id": "a-b"}), "actions.0.id", "A letter or `_`"),
        (in_action({"id": "1"}), "actions.0.id", "A letter or `_`"),
        (in_action({"id": "a\n"}), "actions.0.id", "A letter or `_`"),
        (in_action({"id": "a" * 65}), "actions.0.id", "of 1 to 64 characters"),
        (in_action({"enabled": "false"}), "actions.0.enabled", "true or false"),
        (in_action({"continue_on_error": 1}), "actions.0.continue_on_error", "true or false"),
        (in_action({"action": "log"}), "actions.0.action", "at least two dot-separated words"),
        (in_action({"action": "a.b\n"}), "actions.0.action", "at least two dot-separated words"),
        (in_action({"config": None}), "actions.0.config", "expected an object, got null"),
        (in_retry({"backoff": "linear"}), "actions.0.retry.backoff", "`constant`, `exponential`"),
        (in_repeat({"count": "a.b"}), "actions.0.repeat.count", "an integer"),
        (in_while({"while": " "}), "actions.0.repeat.while", "not empty"),
        (in_delay({"template": ""}), "actions.0.delay.template", "not empty"),
        (in_delay({"template": 5}), "actions.0.delay.template", "got 5"),
        (in_stop({"error": "yes"}), "actions.0.stop.error", "true or false"),
        (in_stop({"reason": 5}), "actions.0.stop.reason", "expected a text, got 5"),
        (in_wait({"filter": []}), "actions.0.wait_for_trigger.filter", "got an empty list"),
        (in_wait({"context_key": 5}), "actions.0.wait_for_trigger.context_key", "a text"),
        (acting({"variables": {}}), "actions.0.variables", "at least 1 item"),
        (acting({"variables": {"a-b": 1}}), "actions.0.variables.a-b", "expected a name"),
        (acting({"variables": {"": 1}}), "actions.0.variables.", "got an empty text"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(raw: Json, path: str, message: str) -> None:
    ((found, text),) = errors(raw)
    assert found == path
    assert message in text


ONE_OF_DELAY = "exactly one of `seconds`, `template` is expected"
ONE_OF_LOOP = "exactly one of `count`, `for_each`, `while`, `until` is expected"
ONE_OF_HOLD = "exactly one of `seconds`, `minutes`, `hours`, `template` is expected"


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (in_delay({}), "actions.0.delay", f"{ONE_OF_DELAY}, got none"),
        (in_delay({"seconds": None}), "actions.0.delay", f"{ONE_OF_DELAY}, got none"),
        (in_delay({"seconds": 1, "template": "1"}), "actions.0.delay", ONE_OF_DELAY),
        (acting({"repeat": {"sequence": [STOP]}}), "actions.0.repeat", f"{ONE_OF_LOOP}, got none"),
        (in_repeat({"until": "true"}), "actions.0.repeat", "got `count` and `until`"),
        (in_while({"for_each": "now"}), "actions.0.repeat", "got `for_each` and `while`"),
        (in_repeat({"max_iterations": 5}), "actions.0.repeat.max_iterations", "`while` and"),
        (in_hold({}), "triggers.0.for", f"{ONE_OF_HOLD}, got none"),
        (in_hold({"seconds": 1, "hours": 1}), "triggers.0.for", "got `seconds` and `hours`"),
        (in_trigger({"cancel_filter": "a"}), "triggers.0.cancel_filter", "beside `for` only"),
    ],
)
def test_rules_between_fields_are_told_at_what_holds_them(
    raw: Json, path: str, message: str
) -> None:
    ((found, text),) = errors(raw)
    assert found == path
    assert message in text


@pytest.mark.parametrize(
    "raw",
    [
        in_trigger({"filter": "", "config": None, "id": None}),
        in_trigger({"filter": " \n"}),
        in_trigger({"cancel_filter": ""}),
        in_trigger({"for": {"hours": 1, "seconds": None}, "cancel_filter": "true"}),
        in_wait({"filter": "", "timeout_seconds": None}),
        in_while({"max_iterations": None, "count": None}) | {"description": None},
        acting({"choose": [{"when": "true", "sequence": [STOP]}], "else": []}),
        in_action({"retry": {}, "id": None, "timeout_seconds": None}),
        in_action({"retry": None}),
        made(conditions=[], actions=[]),
        made(conditions=[{"numeric_state": {"value": 1.5, "above": None, "below": 2}}]),
        made(conditions=[{"time": {"weekday": [0, 6], "timezone": "Europe/Berlin"}}]),
        acting({"variables": {"_": None, "a1": [{"b": "{{ now }}"}]}}),
        in_trigger({"id": "a" * 64}),
        in_action({"id": "_" * 64}),
    ],
)
def test_what_counts_as_none_and_what_is_just_within_is_taken(raw: Json) -> None:
    assert errors(raw) == []


def test_all_faults_are_told_and_not_the_first() -> None:
    raw = {"nam": "x", "mode": 5, "triggers": [{"event": 1}, {"id": ""}], "actions": [{}, {"x": 1}]}
    assert places(raw) == [
        "",
        "name",
        "triggers.0.event",
        "triggers.1.event",
        "triggers.1.id",
        "actions.0",
        "actions.1",
        "mode",
    ]


def test_long_values_are_cut_in_messages() -> None:
    ((_, message),) = errors(made(mode="m" * 5000))
    assert len(message) < 200
    ((_, message),) = errors(made(max_runs=10**400))
    assert message.endswith("got a huge number")


def test_half_of_a_surrogate_pair_is_an_issue() -> None:
    for raw in (made(mode="\ud800"), made(name="\ud800"), {"\ud800": 1}):
        assert errors(raw)[0][1].startswith("no JSON: ")
