"""Times that add up, or a template: what is taken, what is refused, and where."""

from typing import Any

import pytest

from lockstep.model.program import Wait
from unit.definition.judging import Json, acting, errors, made, trigger
from unit.values import program

UNITS = "`seconds`, `minutes`, `hours`, `days`"


def aged(fields: Json) -> Json:
    return made(triggers=[trigger(max_age=fields)])


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ({"seconds": 0.5}, 0.5),
        ({"minutes": 1.5}, 90.0),
        ({"hours": 1, "minutes": 30, "seconds": 10}, 5410.0),
        ({"days": 29, "hours": 24}, 2_592_000.0),
        ({"days": 30, "template": None}, 2_592_000.0),
    ],
)
def test_the_numbers_of_a_time_add_up(written: Json, seconds: float) -> None:
    assert errors(aged(written)) == []
    rule = program(triggers=[{"event": "e", "max_age": written}]).triggers[0].max_age
    assert rule is not None
    assert (rule.seconds, rule.template) == (seconds, None)


@pytest.mark.parametrize(
    ("unit", "most"), [("seconds", 2592000), ("minutes", 43200), ("hours", 720), ("days", 30)]
)
def test_each_number_has_its_bounds(unit: str, most: int) -> None:
    wrongs: tuple[Any, ...] = (0, -1, most + 0.5, 10**400, True, "1", [], {}, float("inf"))
    for wrong in wrongs:
        ((path, message),) = errors(aged({unit: wrong}))
        assert path == f"triggers.0.max_age.{unit}"
        assert message.startswith(f"expected a number above 0, up to {most}, got ")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, f"some of {UNITS}, or `template` alone, is expected, got none"),
        ({"seconds": None}, f"some of {UNITS}, or `template` alone, is expected, got none"),
        ({"hours": 1, "template": "1"}, "`template` stands alone, got it beside `hours`"),
        (
            {"days": 30, "seconds": 0.5},
            "more than 2592000 seconds together: `seconds` and `days`",
        ),
    ],
)
def test_what_is_wrong_with_a_time_as_a_whole_is_told_at_it(written: Json, message: str) -> None:
    assert errors(aged(written)) == [("triggers.0.max_age", message)]


def test_other_forms_of_a_time_and_unknown_units_are_refused() -> None:
    for wrong in (5, "5m", [], True):
        ((path, message),) = errors(aged(wrong))
        assert path == "triggers.0.max_age"
        assert message.startswith("expected an object, got ")
    found = dict(errors(aged({"second": 5, "hours": 1})))
    assert found == {"triggers.0.max_age": "unknown key `second`"}


def looking(wanted: Json) -> Json:
    return acting({"wait_for_trigger": {"event": "test.event", "lookback": wanted}})


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (None, None),
        ("run", 0.0),
        ({"minutes": 1.5}, 90.0),
        ({"days": 6, "hours": 24}, 604_800.0),
    ],
)
def test_a_wait_looks_back_on_its_run_or_for_a_time(written: Json, seconds: float | None) -> None:
    assert errors(looking(written)) == []
    wait = {"event": "e", "lookback": written}
    (node,) = program(actions=[{"wait_for_trigger": wait}]).actions
    assert isinstance(node, Wait)
    assert node.look_back == seconds


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ("runs", "", "expected a text (`run`) or an object, got the text"),
        (5, "", "expected an object, got 5"),
        ({}, "", f"some of {UNITS} is expected, got none"),
        ({"days": 8}, ".days", "expected a number above 0, up to 7, got 8"),
        ({"days": 7, "seconds": 1}, "", "more than 604800 seconds together"),
        ({"template": "5"}, "", "unknown key `template`"),
    ],
)
def test_other_forms_of_a_look_back_are_refused(written: Json, path: str, message: str) -> None:
    found = errors(looking(written))
    assert found[0][0] == f"actions.0.wait_for_trigger.lookback{path}"
    assert found[0][1].startswith(message)
