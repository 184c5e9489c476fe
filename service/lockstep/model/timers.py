"""Timers of triggers: holds and schedules."""

from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.model.events import Event


class Holder(msgspec.Struct, frozen=True):
    """What a hold is armed for: one per (automation, trigger, context key)."""

    automation_id: str
    trigger_id: str
    context_key: str | None


class ArmedHold(msgspec.Struct, frozen=True):
    """A hold that is armed, and until when."""

    id: UUID
    due_at: datetime


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that holds: it starts a run at its time, unless it is disarmed."""

    id: UUID
    holder: Holder
    event: Event
    armed_at: datetime
    due_at: datetime


class StoredTimer(msgspec.Struct, frozen=True, kw_only=True):
    """A timer as it is stored; a hold has an event, a schedule what it was armed by."""

    id: UUID
    kind: str
    automation_id: str
    trigger_id: str
    event: Event | None
    schedule: str | None
    last_value: bool | None
    due_at: datetime
