"""Conditions that hang on nothing: what is never reached behind them, and how they are written."""

from typing import Any

import pytest
from judging import acting, judged, made, place, trigger

from lockstep.definition.source import read

LOG = {"action": "test.log", "config": {"message": "x"}}


def warned(*actions: Any) -> list[str]:
    checked = judged(acting(*actions))
    assert checked.errors == []
    return [place(one) for one in checked.warnings]


@pytest.mark.parametrize(
    "condition",
    [
        *("False", "null", "None", "0", "''", "[]", "1 == 2", "not true", "true and false"),
        *({"and": ["true", "1 > 2"]}, {"or": ["false", "0"]}, {"not": "'a'"}),
    ],
)
def test_what_stands_behind_a_guard_that_never_holds_is_never_reached(condition: Any) -> None:
    assert warned({"condition": condition}, LOG) == ["actions.1"]


@pytest.mark.parametrize("when", ["True", "1", "'a'", "not false", "1 < 2", {"or": ["0", "1"]}])
def test_branches_behind_one_that_is_always_taken_are_never_reached(when: Any) -> None:
    other = {"when": "trigger.payload.x", "sequence": [LOG]}
    choose = {"choose": [{"when": when, "sequence": [LOG]}, other], "else": [LOG]}
    assert warned(choose) == ["actions.0.choose.1.sequence.0", "actions.0.else.0"]


@pytest.mark.parametrize(
    "condition",
    [
        *("now", "trigger.payload.x", "1 + 'a'", "'2020-01-01' | older_than(1)"),
        *({"and": ["trigger.payload.x", "false"]}, {"or": ["trigger.payload.x", "true"]}),
    ],
)
def test_a_condition_that_hangs_on_something_says_nothing_of_what_is_behind(condition: Any) -> None:
    assert warned({"condition": condition}, LOG) == []


def test_a_loop_whose_condition_never_holds_is_never_entered() -> None:
    assert warned({"repeat": {"while": "1 == 2", "sequence": [LOG]}}) == [
        "actions.0.repeat.sequence.0"
    ]


@pytest.mark.parametrize(
    ("action", "hint"),
    [
        ({"delay": {"seconds": "{{ trigger.payload.n }}"}}, "write `template: trigger.payload.n`"),
        (
            {"delay": "{{ !trigger.payload.n }}"},
            'write `delay: {template: "not trigger.payload.n"}`',
        ),
        ({"delay": "{{ trigger.payload.n }}"}, 'write `delay: {template: "trigger.payload.n"}`'),
        (
            {"repeat": {"count": "{{ trigger.payload.n }}", "sequence": [LOG]}},
            "write `while: repeat.index < (trigger.payload.n)`",
        ),
        ({"wait_for_trigger": "test.event"}, "write `wait_for_trigger: {event: test.event}`"),
        ({"condition": True}, 'write it as a text, `"true"`'),
        ({"choose": [{"when": False, "sequence": [LOG]}]}, 'write it as a text, `"false"`'),
        ({**LOG, "timeout_seconds": "{{ trigger.payload.n }}"}, "leave the braces out"),
    ],
)
def test_a_value_of_another_type_is_told_with_what_to_write(action: Any, hint: str) -> None:
    (issue,) = judged(acting(action)).errors
    assert (issue.hint or "").startswith(hint)


@pytest.mark.parametrize("span", [0, 5, 86_400, 86_401, "2d", "30 days", "PT12H", "01:30:00"])
def test_a_delay_that_is_written_otherwise_is_told_as_one_that_is_taken(span: Any) -> None:
    (issue,) = judged(acting({"delay": span})).errors
    written = read((issue.hint or "").removeprefix("write `").removesuffix("`")).value
    assert judged(acting(written)).errors == []


@pytest.mark.parametrize(
    "raw",
    [
        *(acting({"delay": span}) for span in (-1, "31 days", 2_592_001, True)),
        *(made(triggers=[trigger(**{"for": span})]) for span in (0, "31d", "P60D")),
        *(acting({**LOG, "retry": attempts}) for attempts in (-1, 100, True)),
    ],
)
def test_nothing_is_proposed_that_would_be_out_of_bounds(raw: Any) -> None:
    (issue,) = judged(raw).errors
    assert issue.hint is None
