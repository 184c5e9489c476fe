"""Why an event did not end a wait, as far as rows tell: computed when somebody asks.

What filters saw was kept when the event was handled; all else is told by the steps of runs, which
stay as long as their runs do.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from lockstep.model.decisions import WaitedStep
from lockstep.model.run_events import iso
from lockstep.model.texts import shown_key
from lockstep_schemas.base import Json
from lockstep_schemas.why import Consequence, HandledEvent

NEARBY: Final = timedelta(hours=1)  # a wait that was over for longer, or came later, is not meant

_WORD: Final = re.compile(r"([a-z]+)\[(\d+)\]")

_decode = msgspec.json.Decoder().decode


class _Reason(NamedTuple):
    gate: str
    detail: str


def passed_over(event: HandledEvent, steps: Sequence[WaitedStep]) -> list[Consequence]:
    """Say which waits of about then an event did not end, and why; not those that are told."""
    told = {(one.run_id, one.action_path) for one in event.consequences if one.action_path}
    # A replica of an earlier version keeps which run it has woken in words alone.
    woken = " ".join(
        one.detail or "" for one in event.consequences if one.outcome == "woke" and not one.run_id
    )
    started = {one.run_id for one in event.consequences if one.outcome == "started"}
    found = []
    for step in steps:
        if step.run_id in started:
            continue  # no wait is for the event that its run began with
        wait = _awaiting(step, event.event)
        if wait is None or (step.run_id, step.action_path) in told or step.run_id in woken:
            continue
        reason = _reason(event, step, wait)
        if reason is not None:
            found.append(
                Consequence(
                    automation_id=step.automation_id,
                    trigger_id=None,
                    outcome="passed_over",
                    gate=reason.gate,
                    detail=reason.detail,
                    run_id=step.run_id,
                    action_path=step.action_path,
                )
            )
    return found


def _reason(event: HandledEvent, step: WaitedStep, wait: Mapping[str, Json]) -> _Reason | None:
    """Give the first reason that there is, in the order in which the engine looks."""
    handled = event.handled_at
    if handled is None:
        return None
    if step.finished_at is not None and step.finished_at <= handled:
        over = f"the wait was over since {iso(step.finished_at)}"
        return _Reason("wait_over", f"{over}: {_end(step)}")
    key = step.wait_key if step.is_armed else step.run_key
    is_known = step.is_armed or wait.get("context_key") is None
    is_other = is_known and event.context_key not in (None, shown_key(key))
    if step.started_at >= handled and (_is_early(event, step) or not is_other):
        return None if is_other else _later(event, step, wait)
    if event.context_key is None:
        return _Reason("wait", f"the context key of this event is not known any more; {_now(step)}")
    if is_other:
        texts = _key(shown_key(key)), _key(event.context_key)
        return _Reason("wait_key", "it waits for {}; this event has {}".format(*texts))
    due = step.due_at if step.is_armed else _due(step, wait)
    if due is not None and event.time is not None and event.time > due:
        came = f"this event came at {iso(event.time)}"
        return _Reason("wait_deadline", f"past its deadline: it waited until {iso(due)}, {came}")
    if not is_known:
        text = f"the value that its context key `{wait['context_key']}` had is not kept"
        return _Reason("wait", f"{text}; {_now(step)}")
    if step.status == "success":
        return _Reason("wait", f"no record says that this event ended the wait; {_now(step)}")
    if wait.get("filter"):
        text = f"its filter did not let it pass: {wait['filter']}; what it saw is not kept any more"
        return _Reason("wait_filter", text)
    return _Reason("wait", f"what became of it is not known; {_now(step)}")


def _later(event: HandledEvent, step: WaitedStep, wait: Mapping[str, Json]) -> _Reason | None:
    """Tell of a wait that came later than an event, unless it has looked back on it by itself."""
    lookback = wait.get("lookback")
    late = f"it began to wait at {iso(step.started_at)}, after this event was handled"
    if _is_early(event, step) and lookback in (None, "run"):
        hint = "a duration as `lookback` takes events from before the start of the run, too"
    elif lookback is None:
        hint = "`lookback: run` takes earlier ones, too"
    else:
        return None
    return _Reason("wait_later", f"{late}; {hint}")


def _is_early(event: HandledEvent, step: WaitedStep) -> bool:
    """Say whether an event came before that which started the run."""
    return event.time is not None and event.time < step.trigger_time


def _end(step: WaitedStep) -> str:
    """Say how a wait ended."""
    if step.status == "success":
        return "it had ended with success"
    return step.error_message or f"the run is {step.run_status}"


def _now(step: WaitedStep) -> str:
    """Say how a wait stands now."""
    if step.finished_at is None:
        return "it waits on"
    return f"it ended at {iso(step.finished_at)}: {_end(step)}"


def _key(key: str) -> str:
    return f"the context key '{key}'" if key else "no context key"


def _due(step: WaitedStep, wait: Mapping[str, Json]) -> datetime | None:
    """Give the deadline of a wait that is over; None where it has none, or a computed one."""
    seconds = wait.get("timeout_seconds")
    if not isinstance(seconds, int | float):
        return None
    return step.started_at + timedelta(seconds=seconds)


def _awaiting(step: WaitedStep, event_id: str) -> Mapping[str, Json] | None:
    """Give what a step waits for, if it is this event."""
    try:
        action = _action(_decode(step.definition), step.action_path)
        wait = action["wait_for_trigger"]
    except (msgspec.DecodeError, LookupError, TypeError):  # of another version, or changed by hand
        return None
    for one in wait.get("any") or [wait]:
        if one.get("event") == event_id:
            return {**wait, **one}
    return None


def _action(definition: Json, path: str) -> Json:
    """Give the action at a step path. Raise LookupError, TypeError."""
    here = definition
    for name, number in _WORD.findall(path):
        # Of `repeat[iteration]` the number is no place; `parallel[b][0]` has a second one.
        here = here[name] if name == "repeat" else here[name][int(number)]
    return here
