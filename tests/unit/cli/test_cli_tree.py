"""The tree of a run: steps under what contains them, whatever their paths look like."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.tree import Tree

from lockstep.cli.terminal.tree import run_text, tree
from lockstep_schemas.api import Run, Step
from lockstep_schemas.events import Actor

START = datetime(2025, 1, 1, tzinfo=UTC)


def step(seq: int, path: str, **fields: Any) -> Step:
    """A step that took a second."""
    given: dict[str, Any] = {
        "action_id": None,
        "action_kind": "provider",
        "provider_action_id": f"do.s{seq}",
        "status": "success",
        "attempts": 1,
        "error_message": None,
        "result": None,
        "started_at": START,
        "finished_at": START + timedelta(seconds=1),
        **fields,
    }
    return Step(seq=seq, action_path=path, **given)


def steps(*paths: str) -> list[Step]:
    """Steps in the order in which they began."""
    return [step(seq, path) for seq, path in enumerate(paths, 1)]


def nested(drawn: Tree) -> list[Any]:
    """The names of the branches: each text is followed by the list of what is below it."""
    found: list[Any] = []
    for child in drawn.children:
        found.append(str(child.label).split()[0])
        if child.children:
            found.append(nested(child))
    return found


def text(drawn: Tree) -> str:
    """The tree as it is printed into a pipe."""
    console = Console(width=200, markup=False, emoji=False)
    with console.capture() as captured:
        console.print(drawn)
    return captured.get()


def test_steps_are_drawn_under_the_action_that_contains_them() -> None:
    some = steps(
        "actions[0]",
        "actions[0].choose[1].sequence[0]",
        "actions[0].choose[1].sequence[1]",
        "actions[1]",
        "actions[1].else[0]",
        "actions[2]",
        "actions[2].sequence[0]",
        "actions[3]",
        "actions[3].parallel[1][0]",
    )
    assert nested(tree(some)) == [
        "actions[0]",
        ["choose[1].sequence[0]", "choose[1].sequence[1]"],
        "actions[1]",
        ["else[0]"],
        "actions[2]",
        ["sequence[0]"],
        "actions[3]",
        ["parallel[1][0]"],
    ]


def test_containers_in_containers_nest_as_deep_as_they_are() -> None:
    some = steps(
        "actions[0]",
        "actions[0].repeat[0].sequence[0]",
        "actions[0].repeat[0].sequence[0].choose[0].sequence[0]",
        "actions[0].repeat[0].sequence[0].choose[0].sequence[0].parallel[0][2]",
    )
    assert nested(tree(some)) == [
        "actions[0]",
        ["repeat[0].sequence[0]", ["choose[0].sequence[0]", ["parallel[0][2]"]]],
    ]


def test_the_order_is_that_of_the_walk_also_past_the_tenth() -> None:
    paths = [f"actions[{number}]" for number in range(12)]
    rounds = [f"actions[11].repeat[{number}].sequence[0]" for number in range(12)]
    some = steps(*paths, *rounds)
    drawn = nested(tree(some[::-1]))
    assert drawn[:12] == paths
    assert drawn[12] == [path.removeprefix("actions[11].") for path in rounds]


def test_actions_1_does_not_contain_the_steps_of_actions_10() -> None:
    some = steps("actions[1]", "actions[10]", "actions[10].sequence[0]", "actions[1].sequence[0]")
    assert nested(tree(some)) == [
        "actions[1]",
        ["sequence[0]"],
        "actions[10]",
        ["sequence[0]"],
    ]


def test_a_step_whose_parent_is_missing_is_drawn_under_the_next_one_above() -> None:
    some = steps("actions[0]", "actions[0].sequence[1].choose[0].sequence[2]", "actions[7].else[0]")
    assert nested(tree(some)) == [
        "actions[0]",
        ["sequence[1].choose[0].sequence[2]"],
        "actions[7].else[0]",
    ]


def test_a_run_without_steps_is_an_empty_tree() -> None:
    assert nested(tree([])) == []


def test_of_very_many_rounds_the_first_the_last_and_the_failed_are_drawn() -> None:
    rounds = steps("actions[0]", *(f"actions[0].repeat[{n}].sequence[0]" for n in range(1000)))
    rounds[501] = step(502, "actions[0].repeat[500].sequence[0]", status="failed")
    (_, drawn) = nested(tree(rounds, limit=10))
    assert "repeat[0].sequence[0]" in drawn
    assert "repeat[500].sequence[0]" in drawn
    assert "repeat[999].sequence[0]" in drawn
    assert len(drawn) == 13
    (_, drawn) = nested(tree(rounds, limit=None))
    assert len(drawn) == 1000


def test_a_step_shows_kind_status_duration_attempts_and_error() -> None:
    failed = step(1, "actions[0]", status="failed", attempts=3, error_message="no [x] :b: here")
    shown = text(tree([failed]))
    for part in ("do.s1", "failed", "1.0 s", "3 attempts", "no [x] :b: here"):
        assert part in shown


def test_a_step_that_is_not_over_shows_no_duration() -> None:
    assert "1.0 s" not in text(tree([step(1, "actions[0]", status="running", finished_at=None)]))


def test_a_message_of_many_lines_stays_in_the_line_of_its_step() -> None:
    shown = text(tree([step(1, "actions[0]", error_message="one\ntwo\x1b[31m\r\nthree")]))
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown


def test_a_run_shows_its_automation_status_duration_and_why_it_failed() -> None:
    run = Run(
        id="r1",
        automation_id="a1",
        automation_name="Night [x] shift",
        version=3,
        trigger_id="t",
        trigger_event_id="a.b",
        trigger_payload={},
        actor=Actor(),
        context_key=None,
        status="failed",
        error_message="broken [y]",
        reason=None,
        started_at=START,
        finished_at=START + timedelta(milliseconds=20),
        parent_run_id=None,
        waiting_for=None,
    )
    assert str(run_text(run)) == "Night [x] shift v3  failed  20 ms  broken [y]"
