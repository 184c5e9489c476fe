"""`wait_for_trigger`: sleep until an event comes, or until its time is over."""

from datetime import timedelta
from typing import Final

from lockstep.model.errors import RenderError
from lockstep.model.program import Wait
from lockstep.model.run_events import iso
from lockstep.model.waits import FiredWait
from lockstep.walk.bounds import KEY_BYTES, RUN_SCOPE_BYTES, ValueTooLarge, encoded
from lockstep.walk.frames import LeafFrame, WaitResult
from lockstep.walk.outcome import Failed, Ok, Outcome, Suspended
from lockstep.walk.scope import ScopeTooLarge
from lockstep.walk.step import AwaitedEvent, Step

# What this replica knows of an event that another one may have handled.
KNOWN: Final = frozenset({("trigger", "event"), ("trigger", "eventId"), ("trigger", "payload")})


def perform(action: Wait, step: Step) -> Outcome:
    """Arm at the first visit; later say how it ended."""
    if not isinstance(step.frame, LeafFrame):
        return _arm(action, step)
    fired = step.woken(step.frame)
    if fired is None:
        return Suspended()
    completed = fired.cause == "event"
    if completed:
        step.note("event", fired.payload)
        _note_filter(action, fired, step)
    try:  # kept before it may fail: whatever tolerates that sees how the last wait ended
        step.place.scope.keep_answer(WaitResult(completed, fired.payload))
    except ScopeTooLarge as error:
        return Failed(str(error))
    if fired.cause == "incomplete":
        return Failed(f"look-back is incomplete: events of {action.event} are not kept any more")
    if not completed and not action.continue_on_timeout:
        return Failed(f"timed out waiting for {action.event}")
    if not completed:
        step.row.result = {"completed": False}
    return Ok()


def _note_filter(action: Wait, fired: FiredWait, step: Step) -> None:
    """Note what the filter saw that let the event pass, where it asks for what is known here."""
    if action.filter is None or not all(map(_is_known, action.filter.references)):
        return
    trigger = {"event": action.event, "eventId": action.event, "payload": fired.payload}
    explain = action.filter.explain
    scope = step.context()
    step.note_decided("filter", explain, holds=True, trigger=trigger, run_scope=scope)


def _is_known(path: tuple[str, ...]) -> bool:
    return path[0] == "run_scope" or path[:2] in KNOWN


def _arm(action: Wait, step: Step) -> Outcome:
    context_key = step.walk.run.context_key
    if action.context_key is not None:
        try:
            context_key = action.context_key.render(step.context())
        except RenderError as error:
            return Failed(f"wait_for_trigger.context_key: {error}")
        if not context_key:
            return Failed("wait_for_trigger.context_key: it rendered empty")
        try:
            encoded("wait_for_trigger.context_key", context_key, KEY_BYTES)
        except ValueTooLarge as error:
            return Failed(str(error))
    text, due_at = f"event {action.event}", None
    if action.timeout_seconds is not None:
        due_at = step.row.started_at + timedelta(seconds=action.timeout_seconds)
        text = f"{text} until {iso(due_at)}"
    condition = action.filter.text if action.filter is not None else None
    asks = condition is not None and "run_scope" in condition
    try:
        name = "run_scope of wait_for_trigger.filter"
        scope = encoded(name, step.context(), RUN_SCOPE_BYTES) if asks else None
    except ValueTooLarge as error:
        return Failed(str(error))
    step.note("config", {"event": action.event, "context_key": context_key})
    awaited = AwaitedEvent(action.event, context_key, condition, scope, action.look_back)
    return step.sleep("event", text, due_at, awaited)
