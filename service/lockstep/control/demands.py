"""What an automation asks of the store as long as it is in force: timers, events that are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from lockstep import schedule as schedules
from lockstep.definition.compile import derived_ids
from lockstep.definition.stored import DefinitionRefused, parse
from lockstep.definition.tree import looked_back
from lockstep.model.decisions import Decision
from lockstep.model.ids import uuid7
from lockstep.model.timers import DisarmedHold
from lockstep_schemas.api import Automation
from lockstep_schemas.definition import Trigger


def has_timers(automation: Automation) -> bool:
    """Say whether a trigger of it may hold, or be a schedule; not whether it does at the moment."""
    triggers = _stored_triggers(automation)
    return triggers is None or any(
        one.for_ is not None or one.event.startswith("automation.") for one in triggers.values()
    )


def holding(before: Automation, after: Automation) -> list[str]:
    """Give the triggers whose holds stay armed through a change: those that are as they were.

    None of an automation that is disabled. Which trigger is which say the ids, given or derived;
    what is written in another way is another trigger, also where it means the same.
    """
    if after.status == "disabled":
        return []
    old = _stored_triggers(before) or {}
    return [
        name
        for name, trigger in _triggers(after).items()
        if trigger.for_ is not None and _content(old.get(name)) == _content(trigger)
    ]


def disarmings(disarmed: Sequence[DisarmedHold], after: Automation) -> list[Decision]:
    """Say of each event why it starts nothing, after the change that has disarmed what it armed."""
    reason = f"version {after.version} has another trigger in the place of this one, or none"
    if after.status == "disabled":
        reason = "the automation was disabled"
    return [
        Decision(
            one.event,
            after.id,
            one.trigger_id,
            "for",
            f"dropped with the hold before it: {reason}"
            if one.id is None
            else f"disarmed: {reason}",
        )
        for one in disarmed
        if one.event is not None
    ]


def wanted_schedules(
    automation: Automation, now: datetime
) -> list[tuple[UUID, str, str, datetime]]:
    """Give the schedules of an automation, each with its first tick; none if it is disabled."""
    if automation.status == "disabled":
        return []
    wanted = []
    for trigger_id, trigger in _triggers(automation).items():
        schedule = schedules.schedule_of(trigger.event, trigger.config or {})
        due = None if schedule is None else schedules.first_due(schedule, now)
        if due is not None:
            text = msgspec.json.encode([trigger.event, trigger.config], order="deterministic")
            wanted.append((uuid7(), trigger_id, text.decode(), due))
    return wanted


def looks_back(automation: Automation) -> list[str]:
    """Give the events that are kept for an automation, sorted."""
    return sorted(looked_back(parse(automation.definition)))


def _triggers(automation: Automation) -> Mapping[str, Trigger]:
    """Give its triggers by their ids. Raise DefinitionRefused."""
    triggers = parse(automation.definition).triggers
    return dict(zip(derived_ids(triggers), triggers, strict=True))


def _stored_triggers(automation: Automation) -> Mapping[str, Trigger] | None:
    """Give the triggers of what was stored; None where it cannot be read any more."""
    try:
        return _triggers(automation)
    except DefinitionRefused:  # damaged, or of a later version: no trigger is known to be one of it
        return None


def _content(trigger: Trigger | None) -> Trigger | None:
    """Leave out what the trigger is called."""
    return None if trigger is None else msgspec.structs.replace(trigger, id=None)
