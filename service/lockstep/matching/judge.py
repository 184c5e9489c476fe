"""Judge events by the triggers that ask for them: filter, and the automation's conditions."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET

from lockstep.model.decisions import Candidate, Decision, Stage, digest, digest_of_value
from lockstep.model.errors import RenderError
from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch
from lockstep.model.outbox import EventRow
from lockstep.model.program import FILTER_SECONDS, DurationRule, SharedScope, TriggerRule
from lockstep.model.run_events import encoded, iso, trigger_scope
from lockstep.model.texts import storable
from lockstep_schemas.run_events import RunEvent, RunEventData

LONGEST_SECONDS: Final = 30 * 86_400.0  # as long as the longest delay of a run

_encode = msgspec.json.Encoder(order="deterministic").encode


class Unjudged(Exception):
    """A stage could not be judged."""

    def __init__(self, stage: Stage, error: object) -> None:
        super().__init__(str(error))
        self.stage = stage


def asks(match: TriggerMatch) -> bool:
    """Say whether there is anything to judge: a filter, a condition, a gate with expressions."""
    trigger = match.trigger
    gates = trigger.max_age, trigger.filter, trigger.window, trigger.hold
    return gates != (None, None, None, None) or bool(match.automation.program.conditions)


def judge(match: TriggerMatch, now: datetime, *, is_explained: bool = True) -> Candidate | Decision:
    """Take a match through its filter; a fault of an expression refuses it, with a warning.

    All is judged at the time of its event: but for its age, whenever it is handled. `is_explained`
    is whether a refusal says what the expressions saw: it is in vain where nobody keeps it.
    """
    try:
        return _judged(match, now, is_explained=is_explained)
    except Unjudged as error:
        return refusal(match, error.stage, str(error), is_error=True)


def _judged(match: TriggerMatch, now: datetime, *, is_explained: bool) -> Candidate | Decision:
    trigger, at = match.trigger, match.event.time
    scope = _scope(match, at)
    if trigger.hold is not None and trigger.cancel_filter is not None:
        try:
            if trigger.cancel_filter.holds(scope):
                return Candidate(match, cancels=True)
        except RenderError as error:
            raise Unjudged("cancel_filter", error) from error
    if trigger.max_age is not None:
        # Behind the cancel filter: what cancels starts nothing, however late it is handled.
        most = _seconds(trigger.max_age, "max_age", 0, scope)
        age = (now - at).total_seconds()
        if age > most:
            return refusal(match, "max_age", f"too old: {age:.3f} s, at most {most:g} s")
    if trigger.filter is not None:
        try:
            if not trigger.filter.holds(scope):
                detail = f"false: {trigger.filter.text}"
                if is_explained:
                    detail = _joined(detail, trigger.filter.explain(scope).beside(detail[7:]))
                return refusal(match, "filter", detail)
        except RenderError as error:
            raise Unjudged("filter", error) from error
    if trigger.hold is not None:
        # Its conditions are judged when it ends.
        partition, seconds = (
            _partition(trigger, match.event, scope),
            _seconds(trigger.hold, "for", 1, scope),
        )
        return Candidate(match, partition, hold_seconds=seconds)
    if trigger.window is None:
        return fails_condition(match, at, scope, is_explained=is_explained) or Candidate(match)
    # Before the conditions: these may explain themselves, with what is left of the time.
    partition = _partition(trigger, match.event, scope)
    unmet = meets_conditions(match, at, scope, is_explained=is_explained)
    return Candidate(match, partition, unmet=unmet)


def fails_condition(
    match: TriggerMatch,
    at: datetime,
    scope: Mapping[str, object] | None = None,
    *,
    is_explained: bool = True,
) -> Decision | None:
    """Say which of the automation's conditions an event fails at a time, if one.

    Raises:
        Unjudged: One of them could not be judged.
    """
    conditions = match.automation.program.conditions
    if not conditions:
        return None
    scope = _scope(match, at) if scope is None else scope
    for index, condition in enumerate(conditions):
        try:
            if not condition.holds(scope, at):
                detail = f"conditions[{index}] is false"
                if is_explained:
                    detail = _joined(detail, str(condition.explain(scope, at)))
                return refusal(match, "conditions", detail)
        except RenderError as error:
            raise Unjudged("conditions", f"conditions[{index}]: {error}") from error
    return None


def meets_conditions(
    match: TriggerMatch,
    at: datetime,
    scope: Mapping[str, object] | None = None,
    *,
    is_explained: bool = True,
) -> Decision | None:
    """Say why the conditions do not hold at a time, or could not be judged; None if they hold."""
    try:
        return fails_condition(match, at, scope, is_explained=is_explained)
    except Unjudged as error:
        return refusal(match, error.stage, str(error), is_error=True)


def refusal(match: TriggerMatch, stage: Stage, detail: str, *, is_error: bool = False) -> Decision:
    """Build the record of an event that goes no further."""
    event = match.event
    return Decision(
        event,
        match.automation.id,
        match.trigger.id,
        stage,
        storable(detail),
        match if is_error else None,
    )


def _joined(what: str, seen: str) -> str:
    return f"{what}; {seen}" if seen else what


def _seconds(rule: DurationRule, stage: Stage, least: int, scope: Mapping[str, object]) -> float:
    """Give a time of a trigger, from `least` to 30 days; never none at all. Raise Unjudged."""
    if rule.template is None:
        return float(rule.seconds or 0)
    try:
        value = rule.template.evaluate(scope)
    except RenderError as error:
        raise Unjudged(stage, f"{stage}.template: {error}") from error
    try:
        seconds = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if isinstance(value, bool) or not least <= seconds <= LONGEST_SECONDS or not seconds:
        expected = f"{least} to 2592000 seconds" if least else "up to 2592000 seconds, above 0"
        raise Unjudged(stage, f"{stage}.template: expected {expected}, got {value!r}")
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
            return digest_of_value(_encode(value).decode())
    return digest(event.context_key)


def _scope(match: TriggerMatch, at: datetime) -> SharedScope:
    """Build what a filter sees: the event as `trigger`, and the automation; no run exists yet.

    All that a trigger asks of one event shares the processor time of a filter.
    """
    event, automation = match.event, match.automation
    names = {
        "trigger": trigger_scope(
            match.trigger.id,
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
        "now": iso(at),
    }
    return SharedScope(names, FILTER_SECONDS)


def warning(judged: Decision, match: TriggerMatch, prefix: str, at: datetime) -> EventRow:
    """Build the warning event of a trigger that could not be judged; there is no run to name."""
    automation, trace = match.automation, judged.event.traceparent
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
        reason=f"{judged.stage} of trigger '{judged.trigger_id}': {judged.detail}",
    )
    event = RunEvent(
        id=topic,
        source=f"/{prefix}/{automation.id}",
        type="lockstep.run.warning",
        subject=automation.id,
        time=at,
        data=data,
        traceparent=UNSET if trace is None else trace,
    )
    subject = f"{prefix}.run.{automation.id}.warning"
    return EventRow(topic, 1, subject, topic, encoded(event), at, trace)
