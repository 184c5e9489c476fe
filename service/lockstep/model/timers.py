"""Timers of triggers: holds and schedules."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep.model.waits import Rank


class Holder(msgspec.Struct, frozen=True):
    """What a hold is armed for: one per (automation, trigger, context key)."""

    automation_id: str
    trigger_id: str
    context_key: str | None


class HoldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that arms a hold, or cancels one."""

    time: datetime
    sequence: int
    due_at: datetime | None = None  # until when it holds; None: it cancels
    size: int = 0  # bytes of what is kept of it

    @property
    def rank(self) -> Rank:
        """Where it stands among the others."""
        return self.time, self.sequence

    @property
    def until(self) -> datetime:
        """Until when what it arms stands; of one that cancels: no longer than itself."""
        return self.time if self.due_at is None else self.due_at


class ArmedHold(msgspec.Struct, frozen=True):
    """The hold that stands, and the event that armed it."""

    id: UUID
    by: HoldEvent


class HeldEvents(msgspec.Struct, frozen=True):
    """What is kept for a holder: its hold, and the events that may still change what comes out."""

    hold: ArmedHold | None = None
    events: Sequence[HoldEvent] = ()  # in their order; without the one that armed the hold


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger that holds: it starts a run at its time, unless it is disarmed."""

    id: UUID
    holder: Holder
    event_id: str
    by: Rank  # of the event that arms it
    event: Event | None  # None: it is kept among those of the holder
    armed_at: datetime
    due_at: datetime


class KeptEvent(msgspec.Struct, frozen=True):
    """An event that is kept for a holder, with its payload where it may start something."""

    holder: Holder
    what: HoldEvent
    event: Event | None


class EndedHold(msgspec.Struct, frozen=True):
    """A hold that stands no more, by its event; `waits`: behind an earlier one."""

    hold: ArmedHold
    waits: bool


class DisarmedHold(msgspec.Struct, frozen=True):
    """What holds no more because its trigger does not: a hold, or an event that was kept for it."""

    id: UUID | None  # of the hold; None: an event behind it
    trigger_id: str
    event: Event | None  # None: it cannot be read, or there were too many to read them all


class OldHolder(msgspec.Struct, frozen=True):
    """A holder for which an event of some time is kept."""

    time: datetime
    holder: Holder


class HoldChanges(msgspec.Struct):
    """What becomes of holds, and of what is kept for their holders."""

    ended: list[EndedHold]
    kept: list[KeptEvent]
    dropped: list[tuple[Holder, HoldEvent]]
    armed: list[Hold]


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
