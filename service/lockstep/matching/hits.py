"""Judge events by the triggers that ask for them: filter, and the automation's conditions."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from lockstep.matching.index import Index
from lockstep.model.errors import RenderError
from lockstep.model.matches import Gate, Hit, Judgement, Match, digest
from lockstep.model.program import HoldRule, TriggerRule
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.runs import Event, EventRow
from lockstep_schemas.run_events import RunEvent, RunEventData

LONGEST_HOLD_SECONDS: Final = 30 * 86_400.0

_encode = msgspec.json.Encoder(order="deterministic").encode


class Unjudged(Exception):
    """A gate could not be judged."""

    def __init__(self, gate: Gate, error: object) -> None:
        super().__init__(str(error))
        self.gate = gate


def matches(
    events: Sequence[Event], index: Index, now: datetime
) -> tuple[list[Match], list[Judgement]]:
    """Find what passes filters: in order of events, then automations, then triggers.

    Where neither a window nor a hold comes between, the conditions are judged at once.
    """
    found: list[Match] = []
    refused: list[Judgement] = []
    for event in events:
        for automation, trigger in index.entries(event.id):
            judged = judge(Hit(event, automation, trigger), now)
            if isinstance(judged, Match):
                found.append(judged)
            else:
                refused.append(judged)
    return found, refused


def judge(hit: Hit, now: datetime) -> Match | Judgement:
    """Take a hit through its filter; a fault of an expression refuses it, with a warning."""
    try:
        return _judged(hit, now)
    except Unjudged as error:
        return judgement(hit, error.gate, str(error), is_error=True)


def _judged(hit: Hit, now: datetime) -> Match | Judgement:
    trigger, conditions = hit.trigger, hit.automation.program.conditions
    is_plain = trigger.window is None and trigger.hold is None
    if is_plain and trigger.filter is None and not conditions:
        return Match(hit)
    scope = _scope(hit, now)
    if trigger.hold is not None and trigger.cancel_filter is not None:
        try:
            if trigger.cancel_filter.holds(scope):
                return Match(hit, cancels=True)
        except RenderError as error:
            raise Unjudged("cancel_filter", error) from error
    if trigger.filter is not None:
        try:
            if not trigger.filter.holds(scope):
                return judgement(hit, "filter", f"false: {trigger.filter.text}")
        except RenderError as error:
            raise Unjudged("filter", error) from error
    if is_plain:
        return fails_condition(hit, now, scope) or Match(hit)
    seconds = 0.0 if trigger.hold is None else _hold_seconds(trigger.hold, scope)
    return Match(hit, _partition(trigger, hit.event, scope), hold_seconds=seconds)


def fails_condition(
    hit: Hit, now: datetime, scope: Mapping[str, object] | None = None
) -> Judgement | None:
    """Say which of the automation's conditions an event fails, if one.

    Raises:
        Unjudged: One of them could not be judged.
    """
    conditions = hit.automation.program.conditions
    if not conditions:
        return None
    scope = _scope(hit, now) if scope is None else scope
    for index, condition in enumerate(conditions):
        try:
            if not condition.holds(scope, now):
                return judgement(hit, "conditions", f"conditions[{index}] is false")
        except RenderError as error:
            raise Unjudged("conditions", f"conditions[{index}]: {error}") from error
    return None


def meets_conditions(hit: Hit, now: datetime) -> Judgement | None:
    """Say why the conditions do not hold, or could not be judged; None if they hold."""
    try:
        return fails_condition(hit, now)
    except Unjudged as error:
        return judgement(hit, error.gate, str(error), is_error=True)


def judgement(hit: Hit, gate: Gate, detail: str, *, is_error: bool = False) -> Judgement:
    """Build the record of an event that goes no further."""
    event = hit.event
    return Judgement(
        event, hit.automation.id, hit.trigger.id, gate, detail, hit if is_error else None
    )


def _hold_seconds(hold: HoldRule, scope: Mapping[str, object]) -> float:
    if hold.template is None:
        return float(hold.seconds or 0)
    try:
        value = hold.template.evaluate(scope)
    except RenderError as error:
        raise Unjudged("for", f"for.template: {error}") from error
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        seconds = math.nan
    if isinstance(value, bool) or not 1 <= seconds <= LONGEST_HOLD_SECONDS:
        raise Unjudged("for", f"for.template: expected 1 to 2592000 seconds, got {value!r}")
    return seconds


def _partition(trigger: TriggerRule, event: Event, scope: Mapping[str, object]) -> bytes:
    """Give what a window counts: a value of the event, else its context key."""
    if trigger.window is None:
        return b""
    if trigger.window.partition_by is not None:
        try:
            value = trigger.window.partition_by.evaluate(scope)
        except RenderError:
            value = None  # never all events together: the context key, as the language has it
        if value not in (None, "", [], {}):
            return digest(f"value:{_encode(value).decode()}")
    return digest(event.context_key)


def _scope(hit: Hit, now: datetime) -> Mapping[str, object]:
    """Build what a filter sees: the event as `trigger`, and the automation; no run exists yet."""
    event, automation = hit.event, hit.automation
    return {
        "trigger": trigger_scope(
            hit.trigger.id,
            event.id,
            event.payload,
            event.actor,
            event.time,
            event.message_id,
            event.context_key,
            event.hop,
            event.traceparent,
        ),
        "automation": {"id": automation.id, "name": automation.name},
        "now": iso(now),
    }


def warning(judged: Judgement, hit: Hit, prefix: str, at: datetime) -> EventRow:
    """Build the warning event of a trigger that could not be judged; there is no run to name."""
    automation = hit.automation
    topic = f"{judged.event.delivery}/{automation.id}/{judged.trigger_id}"
    data = RunEventData(
        run_id="",
        automation_id=automation.id,
        automation_name=automation.name,
        version=automation.version,
        seq=1,
        trigger_id=judged.trigger_id,
        trigger_event_id=judged.event.id,
        context_key=judged.event.context_key,
        status="skipped",
        at=at,
        reason=f"{judged.gate} of trigger '{judged.trigger_id}': {judged.detail}",
    )
    event = RunEvent(
        id=topic,
        source=f"/{prefix}/{automation.id}",
        type="lockstep.run.warning",
        subject=automation.id,
        time=at,
        data=data,
    )
    subject = f"{prefix}.run.{automation.id}.warning"
    return EventRow(topic, 1, subject, topic, msgspec.json.encode(event))
