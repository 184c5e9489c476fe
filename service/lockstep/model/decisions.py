"""How far an event came: what passed a filter, what windows count, why one went no further."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch

Stage: TypeAlias = Literal[
    "max_age", "filter", "cancel_filter", "window", "for", "conditions", "wait", "wait_filter"
]
"""`wait`: it has woken a run; `wait_filter`: the filter of a wait did not let it pass."""


class Decision(msgspec.Struct, frozen=True):
    """Why an event went no further at a stage, for `lockstep why`; ops hear of an error too."""

    event: Event
    automation_id: str
    trigger_id: str
    stage: Stage
    detail: str
    match: TriggerMatch | None = None  # where it could not be judged
    run_id: UUID | None = None  # that waits, or did
    path: str | None = None  # of the step of it that does


class KeptSince(msgspec.Struct, frozen=True):
    """Since when what became of events is kept."""

    events: datetime | None  # null: there are none
    decisions: datetime | None  # null: none has been forgotten


class WaitedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a run that waited about when an event was handled."""

    run_id: str
    automation_id: str
    run_key: str | None  # the context key of the run
    run_status: str
    trigger_time: datetime  # of the event that started the run
    action_path: str
    status: str
    error_message: str | None
    started_at: datetime
    finished_at: datetime | None
    is_armed: bool  # then there are these two
    wait_key: str | None
    due_at: datetime | None
    definition: str


class Candidate(msgspec.Struct, frozen=True):
    """A match that has passed its filter, and may have to pass a window and a hold."""

    match: TriggerMatch
    partition: bytes = b""  # what a window counts
    cancels: bool = False  # it passed the cancel filter of a hold
    hold_seconds: float = 0.0
    unmet: Decision | None = None  # what refuses it once its window lets it through: a condition


class Counter(msgspec.Struct, frozen=True):
    """What a window counts, for one partition."""

    automation_id: str
    trigger_id: str
    partition: bytes


class Occurrences(msgspec.Struct, frozen=True):
    """The last occurrences of a counter, oldest first."""

    counter: Counter
    times: Sequence[datetime]
    expires_at: datetime


def digest(text: str | None) -> bytes:
    """Give 16 bytes for a key that may be longer than an index takes; null is a key of its own."""
    return _digest("" if text is None else f"={text}")


def digest_of_value(text: str) -> bytes:
    """Give 16 bytes for a value, as JSON: never those of a key, whatever that is."""
    return _digest(f":{text}")


def _digest(marked: str) -> bytes:
    return blake2b(marked.encode("utf-8", "surrogatepass"), digest_size=16).digest()
