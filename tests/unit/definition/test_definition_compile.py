"""A definition becomes a tree: ids are derived, texts compiled, defaults filled in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lockstep.definition.compile import compile_program, derived_ids
from lockstep.definition.conditions import compile_condition
from lockstep.definition.shape import Shaper
from lockstep.definition.stored import parse
from lockstep.model import program
from lockstep.model.errors import RenderError
from lockstep_schemas.actions import Retry
from lockstep_schemas.definition import Trigger
from unit.definition.judging import RENDERER, STOP, Json, acting, made, trigger

SATURDAY_NOON = datetime(2026, 5, 30, 12, 0, tzinfo=UTC)


def compiled(raw: Json) -> program.Program:
    return compile_program(parse(raw), RENDERER)


def node(action: Json) -> Any:
    (found,) = compiled(acting(action)).actions
    return found


def ids(*events: str | tuple[str, str]) -> list[str]:
    """Give ids of triggers; a pair is an event with an id of its own."""
    pairs = [event if isinstance(event, tuple) else (event, None) for event in events]
    return derived_ids([Trigger(event=event, id=own) for event, own in pairs])


@pytest.mark.parametrize(
    ("event", "derived"),
    [
        ("test.event", "test_event"),
        ("Test.EVENT-2", "test_event_2"),
        ("a.-:b", "a_b"),
        ("a.", "a_"),
        ("1.a", "t_1_a"),
        ("-a", "t_a"),
        ("::", "t_"),
        ("a" * 70, "a" * 64),
        ("1" * 70, "t_" + "1" * 62),
    ],
)
def test_an_id_is_derived_from_the_event(event: str, derived: str) -> None:
    assert ids(event) == [derived]


def test_ids_that_collide_are_numbered_from_two() -> None:
    assert ids("a.b", "a-b", "A.b") == ["a_b", "a_b_2", "a_b_3"]
    assert ids("a", "a.2", "a") == ["a", "a_2", "a_3"]
    long = "a" * 80
    assert ids(long, long) == ["a" * 64, "a" * 62 + "_2"]


def test_given_ids_stay_and_derived_ones_make_way() -> None:
    assert ids("a.b", ("x", "a_b"), "a.b") == ["a_b_2", "a_b", "a_b_3"]
    assert ids("a", ("x", "a_2"), "a") == ["a", "a_2", "a_3"]


def test_a_program_has_what_the_definition_says() -> None:
    found = compiled(
        made(
            triggers=[trigger(filter=" "), trigger(id="b", filter="true", config={"a": 1})],
            conditions=["true"],
            mode="parallel",
            max_runs=3,
            max_duration_seconds=9,
            concurrency_scope="context_key",
        )
    )
    first, second = found.triggers
    assert (first.id, first.filter, first.config) == ("test_event", None, {})
    assert (second.id, second.event, second.config) == ("b", "test.event", {"a": 1})
    assert second.filter is not None
    assert len(found.conditions) == 1
    assert (found.actions, found.mode, found.max_runs) == ((), "parallel", 3)
    assert (found.max_duration_seconds, found.by_context_key) == (9, True)
    plain = compiled(made())
    assert (plain.mode, plain.max_runs, plain.by_context_key) == ("single", 10, False)


def test_common_fields_are_those_of_every_node() -> None:
    found = node({**STOP, "id": "a", "enabled": False, "continue_on_error": True})
    assert (found.id, found.enabled, found.continue_on_error) == ("a", False, True)
    assert (found.reason, found.error) == (None, False)


def test_slots_are_compiled_where_they_have_braces_at_any_depth() -> None:
    values = {"a": "{{ 1 + 1 }}", "b": [{"c": "x{{ 2 }}"}, "plain", 5, None, True, "{% x %}"]}
    slots = node({"variables": values}).variables
    assert slots["a"].render({}) in {2, "2"}
    (inner, *rest) = slots["b"]
    assert inner["c"].render({}) == "x2"
    assert rest == ["plain", 5, None, True, "{% x %}"]


def test_a_secret_stays_as_it_stands() -> None:
    config = node({"action": "a.b", "config": {"a": "${{ secrets.A }}"}}).config
    assert config["a"].render({}) == "${{ secrets.A }}"


def test_a_provider_action_has_the_defaults_of_the_language() -> None:
    found = node({"action": "a.b"})
    assert (found.action, found.config, found.timeout_seconds) == ("a.b", {}, None)
    assert found.retry == Retry(
        attempts=1, delay_seconds=1, backoff="exponential", max_delay_seconds=300
    )
    assert node({"action": "a.b", "retry": {"attempts": 3}}).retry.attempts == 3


@pytest.mark.parametrize(
    ("loop", "how", "count"),
    [
        ({"count": 7}, "count", 7),
        ({"for_each": "[1]"}, "for_each", 0),
        ({"while": "true"}, "while", 1000),
        ({"until": "true"}, "until", 1000),
        ({"while": "true", "max_iterations": 3}, "while", 3),
        ({"until": "true", "max_iterations": 10000}, "until", 10000),
    ],
)
def test_a_loop_knows_how_and_how_often(loop: Json, how: str, count: int) -> None:
    found = node({"repeat": {**loop, "sequence": [STOP]}})
    assert (found.how, found.count, len(found.sequence)) == (how, count, 1)
    assert (found.expression is None) == (how == "count")


def test_containers_hold_their_bodies_in_order() -> None:
    branch = {"when": "true", "sequence": [STOP, STOP]}
    found = node({"choose": [branch, branch], "else": [STOP]})
    assert [len(one.sequence) for one in found.branches] == [2, 2]
    assert len(found.otherwise) == 1
    assert node({"choose": [branch]}).otherwise == ()
    assert len(node({"parallel": [STOP, STOP]}).branches) == 2
    assert len(node({"sequence": [STOP]}).sequence) == 1


def test_delay_wait_guard_and_stop_are_compiled() -> None:
    assert node({"delay": {"seconds": 0}}).seconds == 0
    assert node({"delay": {"template": "1 + 1"}}).template.evaluate({}) == 2
    wait = node({"wait_for_trigger": {"event": "a", "filter": "", "context_key": "k{{ 1 }}"}})
    assert (wait.filter, wait.timeout_seconds, wait.continue_on_timeout) == (None, None, False)
    assert wait.context_key.render({}) == "k1"
    assert node({"condition": "1 > 0"}).condition.holds({}, SATURDAY_NOON)
    stop = node({"stop": {"reason": "r{{ 1 }}", "error": True}})
    assert (stop.reason.render({}), stop.error) == ("r1", True)


def test_a_wrong_expression_is_refused_by_compiling_too() -> None:
    for raw in (made(conditions=["{{ a }}"]), acting({"variables": {"a": "{{"}})):
        with pytest.raises(RenderError):
            compiled(raw)


def holds(condition: Any, now: datetime = SATURDAY_NOON, **scope: Any) -> bool:
    shaper = Shaper()
    shaped = shaper.condition(condition, (), 0)
    assert shaper.issues == []
    return compile_condition(shaped, RENDERER).holds(scope, now)


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("x == 1", True),
        ("missing", False),
        ({"and": ["x == 1", "true"]}, True),
        ({"and": ["x == 1", "false"]}, False),
        ({"or": ["false", "x == 1"]}, True),
        ({"or": ["false", "missing"]}, False),
        ({"not": "x == 1"}, False),
        ({"not": {"or": ["false", {"not": "true"}]}}, True),
    ],
)
def test_conditions_are_joined(condition: Any, verdict: bool) -> None:
    assert holds(condition, x=1) is verdict


def test_the_first_operand_that_decides_is_the_last_that_is_evaluated() -> None:
    broken = "1 / 0 > 0"
    assert holds({"or": ["true", broken]})
    assert not holds({"and": ["false", broken]})
    with pytest.raises(RenderError):
        holds({"and": ["true", broken]})


@pytest.mark.parametrize(
    ("bounds", "verdict"),
    [
        ({"value": 5, "above": 4}, True),
        ({"value": 5, "above": 5}, False),
        ({"value": 5, "below": 5}, False),
        ({"value": 5.5, "above": 5, "below": 6}, True),
        ({"value": "x", "above": 0}, True),
        ({"value": "text", "above": 6, "below": 8}, True),
        ({"value": "missing", "above": -1}, False),
        ({"value": "missing.at.depth", "below": 1}, False),
        ({"value": "word", "below": 1}, False),
        ({"value": "none", "below": 1}, False),
        ({"value": "items", "below": 1}, False),
        ({"value": 0, "above": -1, "below": 1}, True),
    ],
)
def test_a_number_lies_strictly_between_its_bounds(bounds: Json, verdict: bool) -> None:
    scope: Json = {"x": 1, "text": "7", "word": "seven", "none": None, "items": [1]}
    assert holds({"numeric_state": bounds}, **scope) is verdict


def at(clock: str, day: int = 30) -> datetime:
    """Give a time of May 2026, in UTC; the 30th is a Saturday."""
    return datetime.fromisoformat(f"2026-05-{day:02}T{clock}+00:00")


@pytest.mark.parametrize(
    ("window", "now", "verdict"),
    [
        ({"after": "09:00", "before": "17:00"}, at("09:00"), True),
        ({"after": "09:00", "before": "17:00"}, at("08:59:59.999"), False),
        ({"after": "09:00", "before": "17:00"}, at("16:59:59"), True),
        ({"after": "09:00", "before": "17:00"}, at("17:00"), False),
        ({"after": "09:00"}, at("23:59"), True),
        ({"after": "09:00"}, at("00:00"), False),
        ({"before": "09:00"}, at("00:00"), True),
        ({"before": "09:00"}, at("09:00"), False),
        ({"after": "22:00", "before": "06:00"}, at("22:00"), True),
        ({"after": "22:00", "before": "06:00"}, at("05:59"), True),
        ({"after": "22:00", "before": "06:00"}, at("06:00"), False),
        ({"after": "22:00", "before": "06:00"}, at("21:59"), False),
        ({"after": "08:00", "before": "08:00"}, at("08:00"), True),
        ({"after": "08:00", "before": "08:00"}, at("07:59"), True),
        ({"weekday": [6]}, at("12:00"), True),
        ({"weekday": [0]}, at("12:00"), False),
        ({"weekday": [0]}, at("12:00", day=31), True),
        ({"weekday": [6], "timezone": "Asia/Tokyo"}, at("15:00"), False),
        ({"weekday": [0], "timezone": "Asia/Tokyo"}, at("15:00"), True),
        ({"weekday": [5], "timezone": "America/New_York"}, at("03:59"), True),
        ({"after": "09:00", "before": "10:00", "timezone": "Europe/Berlin"}, at("07:30"), True),
        ({"after": "09:00", "before": "10:00", "timezone": "Europe/Berlin"}, at("09:30"), False),
        ({"after": "22:00", "before": "06:00", "weekday": [6]}, at("02:00", day=31), False),
        ({"after": "22:00", "before": "06:00", "weekday": [6]}, at("02:00"), True),
    ],
)
def test_a_time_is_that_of_the_zone(window: Json, now: datetime, verdict: bool) -> None:
    assert holds({"time": window}, now) is verdict


def test_the_same_clock_in_winter_is_another_hour_of_utc() -> None:
    window = {"time": {"after": "09:00", "before": "10:00", "timezone": "Europe/Berlin"}}
    assert holds(window, datetime(2026, 1, 15, 8, 30, tzinfo=UTC))
    assert not holds(window, datetime(2026, 1, 15, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("x > 5", "`x > 5` is false: `x` is 1"),
        ({"and": ["x == 1", "gone", "y"]}, "`gone` is missing"),
        ({"or": ["x == 2", {"not": "x"}]}, "`x == 2` is false: `x` is 1; `x` is 1"),
        (
            {"numeric_state": {"value": "x", "above": 1, "below": 5.5}},
            "`1 < x < 5.5` is false: `x` is 1",
        ),
        (
            {"numeric_state": {"value": "gone.a", "above": 1}},
            "`1 < gone.a` is false: `gone.a` is missing or null",
        ),
        ({"numeric_state": {"value": 7, "below": 5}}, "`7 < 5` is false"),
        (
            {"time": {"after": "08:00", "weekday": [0], "timezone": "Asia/Tokyo"}},
            "`time after 08:00, on Sunday` is false: `the time in Asia/Tokyo` is Saturday 21:00",
        ),
        (
            {"numeric_state": {"value": "1 / 0", "above": 1}},
            "its values cannot be told: division by zero",
        ),
        ({"not": "1 / 0"}, "its values cannot be told: division by zero"),
        ({"and": ["x == 1", "1 / 0"]}, "its values cannot be told: division by zero"),
    ],
)
def test_what_decides_a_condition_is_told_with_the_values(condition: Any, told: str) -> None:
    shaped = Shaper().condition(condition, (), 0)
    made_of = compile_condition(shaped, RENDERER)
    explained = made_of.explain({"x": 1}, SATURDAY_NOON)
    assert str(explained) == told
    if not explained.fault:
        assert explained.holds is made_of.holds({"x": 1}, SATURDAY_NOON)


def test_of_conditions_that_decided_together_a_few_are_told() -> None:
    shaped = Shaper().condition({"or": [f"x > {level}" for level in range(1, 12)]}, (), 0)
    told = compile_condition(shaped, RENDERER).explain({"x": 1}, SATURDAY_NOON)
    assert (len(told.deciders), told.more) == (4, 7)
