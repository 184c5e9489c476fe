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


class Candidate(msgspec.Struct, frozen=True):
    """A match that has passed its filter, and may have to pass a window and a hold."""

    match: TriggerMatch
    partition: bytes = b""  # what a window counts
    cancels: bool = False  # it passed the cancel filter of a hold
    hold_seconds: float = 0.0
