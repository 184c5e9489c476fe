"""What runs wait for: armed, shown, due, satisfied, fired."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, TypeAlias, assert_never
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep_schemas.base import JsonObject
from lockstep_schemas.run_events import WaitKind

TimerKind: TypeAlias = Literal["hold", "schedule"]


Cause: TypeAlias = Literal["event", "due"]


KEY_SECONDS: Final = 1.0  # who sleeps for less has no key on the bus: it would come too late


class WaitRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a run waits for, as it is stored. The deadline of a run has no path."""

    id: UUID
    kind: WaitKind
    path: str
    waiting_for: str  # for people
    armed_at: datetime
    due_at: datetime | None
    event_id: str | None = None
    context_key: str | None = None
    filter: str | None = None
    run_scope: bytes | None = None  # what the filter sees of the run, where it asks for it
    is_shown: bool = True  # on the bus, to people: not what is mostly over at once


class FiredWait(msgspec.Struct, frozen=True):
    """How a wait ended: by an event with its payload, or by its time."""

    cause: Cause
    payload: JsonObject | None = None
    warning: str | None = None  # why its filter could not be judged at an earlier event


class Woken(msgspec.Struct, frozen=True):
    """What has fired of a run and is not taken up, and how often it had been woken by then."""

    wakes: int
    fired: Mapping[UUID, FiredWait]


StepKey: TypeAlias = tuple[UUID, str]
"""Run id and step path: what an idempotency key says."""
StepResult: TypeAlias = tuple[UUID, str, datetime]
"""Run id and step path of a result, and when the stream stored it."""


class Awaited(msgspec.Struct, frozen=True):
    """An armed wait that an event may satisfy, if its filter lets it."""

    place: int  # of the event
    id: UUID
    run_id: UUID
    filter: str | None
    run_scope: JsonObject | None
    path: str
    warning: str | None
    automation_id: str
    follows: bool = False  # of the last one: there are more, which did not fit
    unread: str | None = None  # why the row cannot be read here


class Standing(msgspec.Struct, frozen=True):
    """What a transaction finds of that by which its events were judged beforehand."""

    revision: int  # of the automations
    armed: Sequence[tuple[int, UUID]]  # the place of an event, and a wait that it may satisfy


class Satisfied(msgspec.Struct, frozen=True):
    """A wait, and the event that ends it."""

    wait: Awaited
    event: Event


class Due(msgspec.Struct, frozen=True):
    """A wait or a timer whose time comes, or has come."""

    id: UUID
    kind: WaitKind | TimerKind
    due_at: datetime


class Firing(msgspec.Struct, frozen=True):
    """A wait that was fired, and the worker that executes its run at the moment, if one does."""

    id: UUID
    run_id: UUID
    kind: WaitKind
    has_key: bool
    owner: UUID | None
    due_at: datetime | None


class MirroredWait(msgspec.Struct, frozen=True, kw_only=True):
    """What the bus shows of a wait, or of a hold: who sleeps, what for, and until when."""

    wait_id: UUID
    run_id: UUID | None
    automation_id: str
    automation_name: str | None
    kind: WaitKind | Literal["hold"]
    path: str
    waiting_for: str
    event: str | None
    context_key: str | None
    armed_at: datetime
    due_at: datetime | None


def is_awaited(kind: WaitKind | TimerKind) -> bool:
    """Say whether something else than its time can end a wait: it sleeps in the other bucket."""
    match kind:
        case "event" | "remote" | "child":
            return True
        case "delay" | "retry" | "deadline" | "hold" | "schedule":
            return False
        case _:
            assert_never(kind)


def has_key(armed_at: datetime, due_at: datetime | None) -> bool:
    """Say whether a wait has a key on the bus: not if it is over before an alarm could come."""
    return due_at is None or (due_at - armed_at).total_seconds() > KEY_SECONDS


def topic(event_id: str, context_key: str | None) -> bytes:
    """Give what an event and the waits that it may satisfy have in common, in 16 bytes.

    A digest, because a context key may be longer than an index takes.
    """
    text = event_id if context_key is None else f"{event_id}\0{context_key}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
