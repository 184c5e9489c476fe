"""Judge events by the triggers that ask for them: filter, then the automation's conditions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from lockstep.matching.index import Index
from lockstep.model.errors import RenderError
from lockstep.model.program import TriggerRule
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.runs import Automation, Event, EventRow, Hit
from lockstep_schemas.run_events import RunEvent, RunEventData


class Miss(msgspec.Struct, frozen=True):
    """A trigger whose filter or conditions could not be judged: no run, and ops hear of it."""

    event: Event
    automation: Automation
    trigger: TriggerRule
    error: str


def hits(events: Sequence[Event], index: Index, now: datetime) -> tuple[list[Hit], list[Miss]]:
    """Find the runs that events ask for: in order of events, then automations, then triggers."""
    found: list[Hit] = []
    missed: list[Miss] = []
    for event in events:
        for automation, trigger in index.entries(event.id):
            try:
                if _passes(event, automation, trigger, now):
                    found.append(Hit(event, automation, trigger))
            except RenderError as error:
                missed.append(Miss(event, automation, trigger, str(error)))
    return found, missed


def _passes(event: Event, automation: Automation, trigger: TriggerRule, now: datetime) -> bool:
    conditions = automation.program.conditions
    if trigger.filter is None and not conditions:
        return True
    scope = _scope(event, automation, trigger, now)
    if trigger.filter is not None:
        try:
            if not trigger.filter.holds(scope):
                return False
        except RenderError as error:
            raise RenderError(f"filter of trigger '{trigger.id}': {error}") from error
    for index, condition in enumerate(conditions):
        try:
            if not condition.holds(scope, now):
                return False
        except RenderError as error:
            raise RenderError(f"conditions[{index}]: {error}") from error
    return True


def _scope(
    event: Event, automation: Automation, trigger: TriggerRule, now: datetime
) -> Mapping[str, object]:
    """Build what a filter sees: the event as `trigger`, and the automation; no run exists yet."""
    return {
        "trigger": trigger_scope(
            trigger.id,
            event.id,
            event.payload,
            event.actor,
            event.time,
            event.message_id,
            event.context_key,
            event.hop,
        ),
        "automation": {"id": automation.id, "name": automation.name},
        "now": iso(now),
    }


def warning(miss: Miss, prefix: str, at: datetime) -> EventRow:
    """Build the warning event of a trigger that could not be judged; there is no run to name."""
    automation = miss.automation
    topic = f"{miss.event.delivery}/{automation.id}/{miss.trigger.id}"
    data = RunEventData(
        run_id="",
        automation_id=automation.id,
        automation_name=automation.name,
        version=automation.version,
        seq=1,
        trigger_id=miss.trigger.id,
        trigger_event_id=miss.event.id,
        context_key=miss.event.context_key,
        status="skipped",
        at=at,
        reason=miss.error,
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
