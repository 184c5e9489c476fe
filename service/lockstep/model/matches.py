"""Triggers that ask for an event: before their filter, and after it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.model.automations import Automation
from lockstep.model.events import Event
from lockstep.model.program import TriggerRule
from lockstep.model.waits import Rank


class Revival(msgspec.Struct, frozen=True, kw_only=True):
    """What a run begins with that goes on where another one failed.

    The other steps of that run are over, and are told of the new run as they are.
    """

    of: UUID
    document: bytes  # the frames
    reopened: Sequence[int]  # seqs of the containers that it goes on in
    dropped: Sequence[int]  # seqs of the steps that are begun anew


class TriggerMatch(msgspec.Struct, frozen=True):
    """An event that a trigger asks for."""

    event: Event
    automation: Automation
    trigger: TriggerRule
    revival: Revival | None = None
    held_until: datetime | None = None  # of a hold that has ended: its deadline

    def rank(self, now: datetime) -> Rank:
        """Say where it stands among others; what is not from the stream stands at `now`."""
        if self.held_until is not None:
            return self.held_until, self.event.sequence
        return (self.event.time, self.event.sequence) if self.event.sequence else (now, 0)
