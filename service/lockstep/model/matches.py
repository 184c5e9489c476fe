"""Values between an event and its runs: what matched, what was refused, what holds and counts."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from lockstep.model.program import TriggerRule
from lockstep.model.runs import Automation, Event
from lockstep_schemas.run_events import RunStatus

REPLACED: Final = "a newer event restarted the automation"  # reason of a run that is cancelled
Outcome: TypeAlias = Literal["start", "queue", "refuse", "replace", "supersede"]
Gate: TypeAlias = Literal["filter", "cancel_filter", "window", "for", "conditions", "wait"]


class Revival(msgspec.Struct, frozen=True, kw_only=True):
    """What a run begins with that goes on where another one failed.

    The other steps of that run are over, and are told of the new run as they are.
    """

    of: UUID
    document: bytes  # the frames
    reopened: Sequence[int]  # seqs of the containers that it goes on in
    dropped: Sequence[int]  # seqs of the steps that are begun anew


class Hit(msgspec.Struct, frozen=True):
    """An event that a trigger asks for."""

    event: Event
    automation: Automation
    trigger: TriggerRule
    revival: Revival | None = None


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A run that an operator wants again: its event, how it ended, and what it stood at."""

    id: UUID
    event: Event
    automation_id: str
    automation_status: str | None  # None: it was deleted
    version: int
    trigger_id: str
    status: RunStatus
    document: bytes | None


class Match(msgspec.Struct, frozen=True):
    """A hit that has passed its filter, and may have to pass a window and a hold."""

    hit: Hit
    partition: bytes = b""  # what a window counts
    cancels: bool = False  # it passed the cancel filter of a hold
    hold_seconds: float = 0.0


class Judgement(msgspec.Struct, frozen=True):
    """Why an event went no further at a gate; with an error, ops hear of it too."""

    event: Event
    automation_id: str
    trigger_id: str
    gate: Gate
    detail: str
    hit: Hit | None = None  # where it could not be judged


class Admission(msgspec.Struct):
    """What the gate decided: a run, a place in the queue, or a refusal with its reason."""

    hit: Hit
    outcome: Outcome = "start"
    reason: str | None = None
    gate: str | None = None  # of a queue


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """A run row that is about to be inserted."""

    id: UUID
    hit: Hit
    status: RunStatus  # running with this worker as its owner, pending, skipped or cancelled
    reason: str | None
    at: datetime
    gate: str | None = None
    queued: bool = False


class Active(msgspec.Struct, frozen=True):
    """An active run, as modes look at it."""

    id: UUID
    automation_id: str
    context_key: str | None
    rank: tuple[datetime, int]


class Counter(msgspec.Struct, frozen=True):
    """What a window counts, for one partition."""

    automation_id: str
    trigger_id: str
    partition: bytes


class Moments(msgspec.Struct, frozen=True):
    """The last occurrences of a counter, oldest first."""

    counter: Counter
    moments: Sequence[datetime]
    expires_at: datetime


class Holder(msgspec.Struct, frozen=True):
    """What a hold is armed for: one per (automation, trigger, context key)."""

    automation_id: str
    trigger_id: str
    context_key: str | None


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


def digest(text: str | None) -> bytes:
    """Give 16 bytes for a key that may be longer than an index takes; null is a key of its own."""
    marked = "" if text is None else f"={text}"
    return blake2b(marked.encode("utf-8", "surrogatepass"), digest_size=16).digest()
