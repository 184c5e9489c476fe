"""What runs wait for: armed, shown, due, satisfied, fired."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final, Literal, TypeAlias, assert_never
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep_schemas.base import JsonObject
from lockstep_schemas.durations import LONGEST_LOOK_BACK_SECONDS
from lockstep_schemas.run_events import WaitKind

TimerKind: TypeAlias = Literal["hold", "schedule"]


Cause: TypeAlias = Literal["event", "due", "incomplete"]
"""`incomplete`: events were dropped that the wait would have had to look back on."""

Rank: TypeAlias = tuple[datetime, int]
"""Where an event stands in the stream: its time and sequence."""


LONGEST_LOOK_BACK: Final = timedelta(seconds=LONGEST_LOOK_BACK_SECONDS)
LAST: Final = 2**63 - 1  # behind all events of one time

_ITERATION: Final = re.compile(r"\.repeat\[\d+\]")

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
    look_back: float | None = None  # seconds before what started the run; 0: what came after it
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
    since: Rank | None = None  # it looks back: it takes events behind this one only


class Standing(msgspec.Struct, frozen=True):
    """What a transaction finds of that by which its events were judged beforehand."""

    revision: int  # of the automations
    armed: Sequence[tuple[int, UUID]]  # the place of an event, and a wait that it may satisfy


class Satisfied(msgspec.Struct, frozen=True):
    """A wait, and the event that ends it."""

    wait: Awaited
    event: Event


class Looking(msgspec.Struct, frozen=True):
    """A wait that is stored, and armed when it has looked back."""

    wait: Awaited
    topic: bytes
    event_id: str
    context_key: str | None
    began: Rank  # the event that started the run; sequence 0: what started it was none
    due_at: datetime | None
    look_back: float
    dropped: Rank | None  # events of this id and key up to here may be missing
    is_kept: bool  # its version has such events kept; not one that was replaced long ago
    came: Rank | None = None  # it was armed before: what has come since, and may end it

    def since(self, now: datetime) -> Rank:
        """Say behind which event it looks."""
        at, sequence = self.began
        if self.look_back:
            return at - timedelta(seconds=self.look_back), -1  # however long ago that is now
        return max((at, sequence or LAST), (now - LONGEST_LOOK_BACK, LAST))

    def may_lack(self, since: Rank) -> bool:
        """Say whether events behind this one may be missing; what was seen before may."""
        if self.came is not None:
            return self.dropped is not None and self.dropped >= self.came
        return not self.is_kept or (self.dropped is not None and self.dropped > since)


class RecentRow(msgspec.Struct, frozen=True):
    """An event that a wait may look back on: the position of its row, and its rank."""

    position: int
    rank: Rank


class Taken(msgspec.Struct, frozen=True):
    """An event that has ended the wait of an action in a run, which does not take it again."""

    run_id: UUID
    place: str
    time: datetime
    sequence: int


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


def place_of(path: str) -> str:
    """Give the place of an action in its definition: iterations of a loop are the same one."""
    return _ITERATION.sub(".repeat", path)


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
