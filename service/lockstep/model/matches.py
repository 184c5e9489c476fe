"""Triggers that ask for an event: before their filter, and after it."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from lockstep.model.automations import Automation
from lockstep.model.events import Event
from lockstep.model.program import TriggerRule


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
