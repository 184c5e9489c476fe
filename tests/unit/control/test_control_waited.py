"""Why an event did not end a wait: told of what rows there are, also when the wait is over."""

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from lockstep.control.waited import passed_over
from lockstep.model.decisions import WaitedStep
from lockstep_schemas.why import Consequence, HandledEvent
from unit.values import NOW

MINUTE = timedelta(minutes=1)
WAIT: dict[str, Any] = {"wait_for_trigger": {"event": "a.b"}}


def handled(*consequences: Consequence, **fields: Any) -> HandledEvent:
    """Make an event that was handled at NOW, as it came, with the context key `k`."""
    given: dict[str, Any] = {"time": NOW, "context_key": "k", **fields}
    return HandledEvent(
        event="a.b",
        message_id=None,
        delivery="S:1:1",
        handled_at=NOW,
        consequences=[*consequences],
        **given,
    )


def step(
    actions: Any = WAIT, path: str = "actions[0]", begun: datetime = NOW - MINUTE, **fields: Any
) -> WaitedStep:
    """Make a step that waits since a minute, of a run with the context key `k`."""
    listed = actions if isinstance(actions, list) else [actions]
    given: dict[str, Any] = {
        "run_key": "k",
        "run_status": "waiting",
        "trigger_time": NOW - 2 * MINUTE,
        "status": "waiting",
        "error_message": None,
        "finished_at": None,
        "is_armed": True,
        "wait_key": "k",
        "due_at": None,
        **fields,
    }
    return WaitedStep(
        run_id="r",
        automation_id="a",
        action_path=path,
        started_at=begun,
        definition=json.dumps({"actions": listed}),
        **given,
    )


def over(status: str = "failed", after: timedelta = MINUTE, **fields: Any) -> dict[str, Any]:
    """Make the fields of a step that has ended, so long after the event was handled."""
    return {
        "status": status,
        "finished_at": NOW + after,
        "is_armed": False,
        "wait_key": None,
        **fields,
    }


def waiting(**fields: Any) -> dict[str, Any]:
    """Make an action that waits."""
    return {"wait_for_trigger": {"event": "a.b", **fields}}


def told(event: HandledEvent, one: WaitedStep) -> tuple[str | None, str] | None:
    """Gate and detail, if the wait is told."""
    found = passed_over(event, [one])
    assert len(found) <= 1
    return (found[0].gate, found[0].detail or "") if found else None


@pytest.mark.parametrize(
    ("event", "one", "gate", "words"),
    [
        (handled(), step(**over("failed", -MINUTE, error_message="timed out waiting for a.b")),
         "wait_over", "over since 2026-05-30T11:59:00.000Z: timed out waiting for a.b"),
        (handled(), step(**over("failed", -MINUTE, run_status="cancelled")),
         "wait_over", "the run is cancelled"),
        (handled(), step(**over("success", -MINUTE)), "wait_over", "ended with success"),
        (handled(), step(begun=NOW + MINUTE), "wait_later",
         "wait at 2026-05-30T12:01:00.000Z, after this event was handled; `lookback: run`"),
        (handled(), step(begun=NOW + MINUTE, trigger_time=NOW + MINUTE), "wait_later",
         "a duration as `lookback` takes events from before the start of the run, too"),
        (handled(),
         step(waiting(lookback="run"), begun=NOW + MINUTE, trigger_time=NOW + MINUTE), "wait_later",
         "a duration as `lookback`"),
        (handled(), step(begun=NOW + MINUTE, wait_key="other"), "wait_key",
         "it waits for the context key 'other'"),
        (handled(), step(wait_key="other"), "wait_key",
         "waits for the context key 'other'; this event has the context key 'k'"),
        (handled(), step(wait_key=None), "wait_key",
         "waits for no context key; this event has the context key 'k'"),
        (handled(context_key=""), step(), "wait_key", "this event has no context key"),
        (handled(), step(**over(run_key="other")), "wait_key", "the context key 'other'"),
        (handled(), step(due_at=NOW - MINUTE), "wait_deadline",
         "until 2026-05-30T11:59:00.000Z, this event came at 2026-05-30T12:00:00.000Z"),
        (handled(), step(waiting(timeout_seconds=30), **over()), "wait_deadline",
         "it waited until 2026-05-30T11:59:30.000Z"),
        (handled(), step(waiting(filter="x > 1")), "wait_filter",
         "did not let it pass: x > 1; what it saw is not kept any more"),
        (handled(), step(waiting(context_key="{{ x }}"), **over()), "wait",
         "the value that its context key `{{ x }}` had is not kept; it ended at 2026"),
        (handled(), step(**over("success")), "wait", "no record says that this event ended"),
        (handled(context_key=None), step(), "wait", "key of this event is not known any more"),
        (handled(), step(), "wait", "what became of it is not known; it waits on"),
    ],
)  # fmt: skip
def test_it_tells_the_first_reason_that_there_is(
    event: HandledEvent, one: WaitedStep, gate: str, words: str
) -> None:
    found = told(event, one)
    assert found is not None
    assert found[0] == gate
    assert words in found[1]


def test_a_key_that_is_cut_is_compared_as_it_was_kept() -> None:
    long = "k" * 600
    assert told(handled(context_key="k" * 509 + "…"), step(wait_key=long)) == (
        "wait",
        "what became of it is not known; it waits on",
    )


def test_what_is_told_already_is_not_told_again() -> None:
    woke = Consequence(
        automation_id="a", trigger_id=None, outcome="woke", gate="wait", detail="woke run r at x",
        run_id="r", action_path="actions[0]",
    )  # fmt: skip
    assert told(handled(woke), step()) is None
    older = Consequence(
        automation_id="a", trigger_id=None, outcome="woke", gate="wait", detail="woke run r at x",
        run_id=None,
    )  # fmt: skip
    assert told(handled(older), step()) is None
    assert told(handled(woke), step([WAIT, WAIT], "actions[1]")) is not None


def test_a_wait_is_not_told_of_the_event_that_its_run_began_with() -> None:
    started = Consequence(
        automation_id="a", trigger_id="0", outcome="started", gate=None, detail=None, run_id="r"
    )
    assert told(handled(started), step(begun=NOW + MINUTE, trigger_time=NOW)) is None


def test_a_wait_that_looks_back_and_begins_later_has_looked_at_it_by_itself() -> None:
    assert told(handled(), step(waiting(lookback="run"), begun=NOW + MINUTE)) is None
    later = {"begun": NOW + MINUTE, "trigger_time": NOW + MINUTE}
    assert told(handled(), step(waiting(lookback={"hours": 1}), **later)) is None


def test_a_wait_of_a_run_that_a_later_event_started_is_not_told_where_its_key_is_another() -> None:
    later = {"begun": NOW + MINUTE, "trigger_time": NOW + MINUTE}
    assert told(handled(), step(wait_key="other", **later)) is None
    assert told(handled(), step(**over(run_key="other", after=2 * MINUTE), **later)) is None
    assert told(handled(), step(**later)) is not None


@pytest.mark.parametrize(
    ("actions", "path", "is_told"),
    [
        ([{"stop": {}}, WAIT], "actions[1]", True),
        ([{"stop": {}}, WAIT], "actions[0]", False),
        ([WAIT], "actions[7]", False),
        ([{"wait_for_trigger": {"event": "other"}}], "actions[0]", False),
        ([{"wait_for_trigger": {"any": [{"event": "x"}, {"event": "a.b"}]}}], "actions[0]", True),
        ([{"choose": [{"sequence": []}, {"sequence": [WAIT]}]}],
         "actions[0].choose[1].sequence[0]", True),
        ([{"choose": [], "else": [WAIT]}], "actions[0].else[0]", True),
        ([{"repeat": {"count": 9, "sequence": [WAIT]}}], "actions[0].repeat[7].sequence[0]", True),
        ([{"parallel": [{"stop": {}}, WAIT]}], "actions[0].parallel[1][0]", True),
        ([{"parallel": [{"sequence": [WAIT]}]}], "actions[0].parallel[0][0].sequence[0]", True),
        ([{"try": [WAIT], "finally": [WAIT]}], "actions[0].finally[0]", True),
        ("no list", "actions[0]", False),
    ],
)  # fmt: skip
def test_it_finds_what_a_step_waits_for_wherever_it_stands(
    actions: Any, path: str, is_told: bool
) -> None:
    definition = json.dumps({"actions": actions})
    one = msgspec.structs.replace(step(path=path), definition=definition)
    assert (told(handled(), one) is not None) is is_told


def test_a_definition_that_cannot_be_read_tells_nothing() -> None:
    assert told(handled(), msgspec.structs.replace(step(), definition="{")) is None
