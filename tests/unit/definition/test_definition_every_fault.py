"""Every fault is told that can be found, each at its place; of very many the first."""

from typing import Any

import msgspec
import pytest

from effort import at_most
from unit.definition.judging import (
    OPEN,
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

NOPE = {"action": "test.nope"}
FILTER = "a b"


def wrapped(action: Json, container: str) -> Json:
    """Put an action into the second place of each list that there is."""
    some = [STOP, action]
    return {
        "choose": {
            "choose": [{"when": "now", "sequence": [STOP]}, {"when": "now", "sequence": some}]
        },
        "else": {"choose": [{"when": "now", "sequence": [STOP]}], "else": some},
        "parallel": {"parallel": some},
        "repeat": {"repeat": {"count": 1, "sequence": some}},
        "sequence": {"sequence": some},
    }[container]


CONTAINERS = [
    ("choose", "choose.1.sequence.1"),
    ("else", "else.1"),
    ("parallel", "parallel.1"),
    ("repeat", "repeat.sequence.1"),
    ("sequence", "sequence.1"),
]
FAULTS = [
    (NOPE, "action"),
    ({"action": "test.log", "config": {"mesage": "m", "message": "m"}}, "config"),
    ({"action": "test.log", "config": {"message": ""}}, "config.message"),
    ({"action": "test.create"}, "id"),
    ({"action": "test.log"}, "config.message"),
    ({"wait_for_trigger": {"event": "test.evnt"}}, "wait_for_trigger.event"),
    ({"wait_for_trigger": {"event": "test.event", "filter": "a b"}}, "wait_for_trigger.filter"),
    ({"delay": {"template": "a b"}}, "delay.template"),
    ({"variables": {"a": {"b": ["{{ a b }}"]}}}, "variables.a.b.0"),
    ({"variables": {"a": "{{ artifacts.no.thing }}"}}, "variables.a"),
    ({"stop": {"reason": "{{ a b }}"}}, "stop.reason"),
    ({"condition": {"and": ["now", {"not": "a b"}]}}, "condition.and.1.not"),
    ({"delay": {"seconds": -1}}, "delay.seconds"),
    ({"stop": {"eror": True}}, "stop"),
    ({"parallel": []}, "parallel"),
    ({"repeat": {"count": 1}}, "repeat.sequence"),
]


@pytest.mark.parametrize(("container", "inside"), CONTAINERS)
@pytest.mark.parametrize(("action", "where"), FAULTS)
def test_the_path_of_a_fault_leads_through_the_containers(
    container: str, inside: str, action: Json, where: str
) -> None:
    raw = acting(wrapped(wrapped(action, container), "sequence"))
    assert places(raw) == [f"actions.0.sequence.1.{inside}.{where}"]


@pytest.mark.parametrize(("action", "where"), FAULTS)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_fault_is_told_although_the_shape_is_wrong_elsewhere(
    action: Json, where: str, enabled: bool
) -> None:
    raw = {**acting({}, {**wrapped(action, "parallel"), "enabled": enabled}), "mode": "no"}
    assert set(places(raw)) == {"mode", "actions.0", f"actions.1.parallel.1.{where}"}


def test_all_faults_of_all_parts_are_told_at_once() -> None:
    raw = {
        "name": "",
        "mode": "singel",
        "max_runs": 0,
        "triggers": [
            {"event": "test.evnt", "filter": FILTER, "id": "a"},
            {"event": "test.event", "id": "a", "filter": "{{ now }}"},
            trigger(window={"count": 0}),
        ],
        "conditions": [FILTER, {"and": []}],
        "actions": [action for action, _ in FAULTS],
    }
    found = set(places(raw))
    assert {"name", "mode", "max_runs", "triggers.0.event", "triggers.0.filter"} <= found
    assert {"triggers.1.id", "triggers.1.filter", "triggers.2.window.count"} <= found
    assert {"triggers.2.window.minutes", "conditions.0", "conditions.1.and"} <= found
    assert {f"actions.{n}.{where}" for n, (_, where) in enumerate(FAULTS)} <= found


def test_ids_that_stand_twice_are_told_although_the_shape_is_wrong_elsewhere() -> None:
    raw = acting({"id": "a", **STOP}, {"sequence": [{"id": "a", **STOP}, {}]})
    assert set(places(raw)) == {"actions.1.sequence.0.id", "actions.1.sequence.1"}


def test_a_reference_to_what_is_wrong_itself_is_not_told() -> None:
    use = {"variables": {"a": "{{ artifacts.mk.thing }}", "b": "{{ artifacts.no.thing }}"}}
    raw = acting({"action": "test.create", "id": "mk", "enabled": "yes"}, use)
    assert places(raw) == ["actions.0.enabled", "actions.1.variables.b"]


def test_of_two_kinds_in_one_action_both_are_judged() -> None:
    both = {"sequence": [NOPE], "delay": {"seconds": -1}, "id": "a-b"}
    assert set(places(acting(both))) == {
        "actions.0",
        "actions.0.delay.seconds",
        "actions.0.sequence.0.action",
    }


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        ({**made(), "trigers": []}, "triggers"),
        (made(triggers=[trigger(filtr="a")]), "filter"),
        (made(triggers=[trigger(window={"count": 1, "minutes": 1, "refir": "x"})]), "refire"),
        (made(triggers=[{"event": "test.evnt"}]), "test.event"),
        (acting({"wait_for_trigger": {"event": "test.evnt"}}), "test.event"),
        (acting({"action": "test.lgo"}), "test.log"),
        (acting({"paralel": [STOP]}), "parallel"),
        (acting({**STOP, "enabld": True}), "enabled"),
        (acting({"action": "test.log", "config": {"message": "m", "levle": "x"}}), "level"),
        (made(conditions=["a | uper"]), "upper"),
        (made(conditions=[{"nott": "a"}]), "not"),
        (made(conditions=[{"time": {"aftr": "10:00", "before": "11:00"}}]), "after"),
        (acting({"action": "test.log", "config": {"message": "{{ a | lenght }}"}}), "length"),
    ],
)
def test_a_near_miss_is_told_what_was_probably_meant(raw: Json, hint: str) -> None:
    assert (only(raw).hint or "").startswith(f"did you mean `{hint}`?")


@pytest.mark.parametrize(
    "config",
    [
        {"one": {"n": "{{ now }}"}},
        {"any": {"m": "{{ now }}"}},
        {"unique": ["{{ now }}", "{{ now }}"]},
        {"has": ["{{ now }}"]},
    ],
)
def test_what_hangs_on_a_templated_value_inside_is_left_for_run_time(config: Json) -> None:
    assert errors(acting({"action": "shapes.act", "config": config})) == []


@pytest.mark.parametrize(
    "config", [{"one": {"n": "x"}}, {"any": {"m": "x"}}, {"unique": [1, 1]}, {"has": ["y"]}]
)
def test_what_hangs_on_no_template_is_judged(config: Json) -> None:
    (name,) = config
    assert place(only(acting({"action": "shapes.act", "config": config}))) in {
        f"actions.0.config.{name}",
        f"actions.0.config.{name}.n",
        f"actions.0.config.{name}.m",
    }


def test_references_by_number_and_by_name_stand_side_by_side() -> None:
    raw = made(conditions=["artifacts[0] == artifacts.a or artifacts[1].x == artifacts['b'].y"])
    assert set(places(raw)) == {"conditions.0"}


def _nest(actions: list[Any], depth: int) -> list[Any]:
    for _ in range(depth):
        actions = [{"sequence": actions}, {}]
    return actions


@pytest.mark.parametrize(
    "raw",
    [
        acting(*[{}] * 6_000),
        acting(*[{"acton": 1}] * 6_000),
        acting(*[NOPE] * 6_000),
        made(conditions=["a b", ""] * 3_000),
        {**made(), **{f"key{n}": 1 for n in range(6_000)}},
        {**made(), "x" * 500_000: 1},
        made(triggers=[{"event": "x" * 10_000}] * 50),
        acting(*_nest([{"condition": "a b"}], 60) * 60),
        acting({"variables": {"a": {"x" * 300: ["{{ a b }}"] * 5_000}}}),
    ],
    ids=["empty", "kind", "action", "condition", "keys", "key", "event", "nested", "template"],
)
def test_of_very_many_faults_the_first_are_told_soon_and_fit_into_a_reply(raw: Json) -> None:
    with at_most(calls=4_000_000):
        found = judged(raw, OPEN).errors
    assert found
    assert len(msgspec.json.encode(found)) < 512 * 1024
    if len(found) > 100:
        assert "there are more faults" in found[-1].message
