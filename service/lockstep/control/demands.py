"""What an automation asks of the store as long as it is in force: timers, events that are kept."""

from datetime import datetime
from uuid import UUID

import msgspec

from lockstep import schedule as schedules
from lockstep.definition import derived_ids, looked_back, parse
from lockstep.model.ids import uuid7
from lockstep_schemas.api import Automation


def has_timers(automation: Automation) -> bool:
    """Say whether a trigger of it may hold, or be a schedule; not whether it does at the moment."""
    triggers = automation.definition["triggers"]
    return any("for" in one or one["event"].startswith("automation.") for one in triggers)


def holding(automation: Automation) -> list[str]:
    """Give the triggers whose holds stay armed: none of an automation that is disabled."""
    if automation.status == "disabled":
        return []
    triggers = parse(automation.definition).triggers
    ids = derived_ids(triggers)
    return [name for name, trigger in zip(ids, triggers, strict=True) if trigger.for_ is not None]


def wanted_schedules(
    automation: Automation, now: datetime
) -> list[tuple[UUID, str, str, datetime]]:
    """Give the schedules of an automation, each with its first tick; none if it is disabled."""
    if automation.status == "disabled":
        return []
    triggers = parse(automation.definition).triggers
    wanted = []
    for trigger_id, trigger in zip(derived_ids(triggers), triggers, strict=True):
        schedule = schedules.schedule_of(trigger.event, trigger.config or {})
        due = None if schedule is None else schedules.first_due(schedule, now)
        if due is not None:
            text = msgspec.json.encode([trigger.event, trigger.config], order="deterministic")
            wanted.append((uuid7(), trigger_id, text.decode(), due))
    return wanted


def looks_back(automation: Automation) -> list[str]:
    """Give the events that are kept for an automation, sorted."""
    return sorted(looked_back(parse(automation.definition)))
