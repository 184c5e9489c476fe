"""Coverage: the ways through an automation, and which of them the steps of runs have taken."""

from collections.abc import Mapping

import pytest
from msgspec import convert

from lockstep.cases.coverage import Way, of_runs, report, ways
from lockstep.cases.expect import Seen
from lockstep.cases.origins import Origin, key_of
from lockstep.definition.documents import Document
from lockstep.definition.source import Source
from lockstep.model.texts import path_text
from lockstep_schemas.api import Run, RunDetail, Step
from lockstep_schemas.base import Json

NOON = "2026-01-01T12:00:00Z"
STOP: Json = {"stop": {}}
CALL: Json = {"action": "a.b", "config": {}}


def definition(*actions: Json) -> Json:
    """A definition with these actions."""
    return {"name": "n", "triggers": [{"event": "e"}], "actions": list(actions)}


def origin(made: Json, named_at: str = "") -> Origin:
    """A file that holds it."""
    document = Document(
        file="f.yaml" if named_at else "cases.yaml",
        source=Source(made, {(): (1, 1)}),
        under=(),
        definition=made,
        name="n",
    )
    return Origin(document, named_at)


def detail(steps: Mapping[str, tuple[str, Json]], version: int = 1) -> RunDetail:
    """A run with these steps: status and result by path."""
    run = {
        "id": "r", "automation_id": "auto-1", "automation_name": "n", "version": version,
        "trigger_id": "t", "trigger_event_id": "e", "trigger_payload": {}, "actor": {},
        "context_key": None, "status": "success", "error_message": None, "reason": None,
        "started_at": NOON, "finished_at": NOON, "parent_run_id": None, "waiting_for": None,
    }  # fmt: skip
    rows = [
        {
            "seq": seq, "action_path": path, "action_id": None, "action_kind": "k",
            "provider_action_id": None, "status": status, "attempts": 1, "error_message": None,
            "result": result, "started_at": NOON, "finished_at": NOON,
        }
        for seq, (path, (status, result)) in enumerate(steps.items())
    ]  # fmt: skip
    return RunDetail(run=convert(run, Run), steps=convert(rows, list[Step]), artifacts=[], waits=[])


def missing(made: Json, *steps: Mapping[str, str]) -> list[str]:
    """What runs with these steps (status by path) have not reached."""
    details = [detail({path: (one, None) for path, one in some.items()}) for some in steps]
    (covered,) = report([([origin(made)], of_runs(seen(made, details)))])
    assert covered.ways == covered.reached + len(covered.missing)
    return [f"{path_text(way.path)}: {way.what}" for way in covered.missing]


def seen(made: Json, details: list[RunDetail]) -> Seen:
    """What the engine says of such runs."""
    return Seen(
        runs=details, recorded=[], consumed=[], calls=[], action_calls=0,
        definitions={("auto-1", 1): made},
    )  # fmt: skip


CHOOSE: Json = {
    "choose": [{"when": "a", "sequence": [STOP]}, {"when": "b", "sequence": [CALL, STOP]}]
}
LOOP: Json = {"repeat": {"count": 2, "sequence": [{"parallel": [STOP, {"sequence": [STOP]}]}]}}
NEVER = "the action was never reached"
TAKEN = "the branch was never taken"
PASSED = "which would be passed over"


@pytest.mark.parametrize(
    ("action", "steps", "told"),
    [
        (STOP, {}, [f"actions[0]: {NEVER}"]),
        (STOP, {"actions[0]": "success"}, []),
        (STOP, {"actions[0]": "waiting"}, []),
        (
            CHOOSE,
            {"actions[0]": "success", "actions[0].choose[0].sequence[0]": "success"},
            [
                f"actions[0].choose[1]: {TAKEN}",
                "actions[0].else: it never happened that no branch held",
                f"actions[0].choose[1].sequence[0]: {NEVER}",
                f"actions[0].choose[1].sequence[1]: {NEVER}",
            ],
        ),
        (
            CHOOSE,
            {"actions[0]": "failed", "actions[0].choose[1].sequence[0]": "failed"},
            [
                f"actions[0].choose[0]: {TAKEN}",
                "actions[0].else: it never happened that no branch held",
                f"actions[0].choose[0].sequence[0]: {NEVER}",
                f"actions[0].choose[1].sequence[1]: {NEVER}",
            ],
        ),
        (
            {**CHOOSE, "else": [STOP]},
            {"actions[0]": "success", "actions[0].else[0]": "success"},
            [
                f"actions[0].choose[0]: {TAKEN}",
                f"actions[0].choose[1]: {TAKEN}",
                f"actions[0].choose[0].sequence[0]: {NEVER}",
                f"actions[0].choose[1].sequence[0]: {NEVER}",
                f"actions[0].choose[1].sequence[1]: {NEVER}",
            ],
        ),
        (
            LOOP,
            {"actions[0]": "success"},
            [
                "actions[0].repeat: the loop was never entered",
                f"actions[0].repeat.sequence[0]: {NEVER}",
                f"actions[0].repeat.sequence[0].parallel[0]: {NEVER}",
                f"actions[0].repeat.sequence[0].parallel[1]: {NEVER}",
                f"actions[0].repeat.sequence[0].parallel[1].sequence[0]: {NEVER}",
            ],
        ),
        (
            LOOP,
            {
                "actions[0]": "success",
                "actions[0].repeat[7].sequence[0]": "success",
                "actions[0].repeat[7].sequence[0].parallel[0][0]": "success",
                "actions[0].repeat[8].sequence[0].parallel[1][0]": "success",
            },
            [f"actions[0].repeat.sequence[0].parallel[1].sequence[0]: {NEVER}"],
        ),
        (CALL, {"actions[0]": "success"}, []),
        (
            {**CALL, "continue_on_error": True},
            {"actions[0]": "success"},
            [f"actions[0]: it never failed, {PASSED}"],
        ),
        ({**CALL, "continue_on_error": True}, {"actions[0]": "failed"}, []),
        ({**STOP, "continue_on_error": True}, {"actions[0]": "success"}, []),
        (
            {"condition": "a"},
            {"actions[0]": "success"},
            ["actions[0]: it never happened that the condition did not hold"],
        ),
        ({"condition": "a", "continue_on_error": True}, {"actions[0]": "skipped"}, []),
        (
            {"wait_for_trigger": {"event": "e", "timeout_seconds": 1, "continue_on_timeout": True}},
            {"actions[0]": "success"},
            [f"actions[0]: it never timed out, {PASSED}"],
        ),
    ],
)
def test_what_the_steps_of_a_run_have_not_reached(
    action: Json, steps: Mapping[str, str], told: list[str]
) -> None:
    assert missing(definition(action), steps) == told


def test_what_is_disabled_is_no_way() -> None:
    made = definition({"enabled": False, "sequence": [STOP]}, STOP)
    assert [way.path for way in ways(made)] == [("actions", 1)]


def test_a_choose_in_a_loop_is_told_by_its_iterations() -> None:
    made = definition({"repeat": {"count": 2, "sequence": [CHOOSE]}})
    inner = "actions[0].repeat[{}].sequence[0]"
    steps = {
        "actions[0]": "success",
        inner.format(0): "success",
        f"{inner.format(0)}.choose[0].sequence[0]": "success",
        inner.format(1): "success",
    }
    assert not [one for one in missing(made, steps) if "no branch held" in one]


def test_cases_together_reach_what_none_reaches_alone_and_the_file_is_named() -> None:
    made = definition(STOP, STOP)
    one = {key_of(made): {Way(("actions", 0), NEVER)}}
    other = {key_of(made): {Way(("actions", 1), NEVER)}}
    (covered,) = report([([origin(made)], one), ([origin(made, "cases.yaml:1:1")], other)])
    assert (covered.reached, covered.missing) == (2, [])
    assert covered.origin.document.file == "f.yaml"


def test_a_run_counts_for_the_version_that_it_runs() -> None:
    old, new = definition(STOP), definition(STOP, STOP)
    steps = {"actions[0]": ("success", None)}
    runs = seen(old, [detail(steps)])
    every = {("auto-1", 1): old, ("auto-1", 2): new}
    taken = of_runs(
        Seen(
            runs=[*runs.runs, detail(steps, 2)], recorded=[], consumed=[], calls=[],
            action_calls=0, definitions=every,
        )
    )  # fmt: skip
    assert set(taken) == {key_of(old), key_of(new)}
    first, second = report([([origin(old), origin(new)], taken)])
    assert (len(first.missing), len(second.missing)) == (0, 1)


def test_an_automation_that_is_refused_has_no_ways() -> None:
    assert list(ways({"name": "n"})) == []
    assert report([([origin({"name": "n"})], {})]) == []
