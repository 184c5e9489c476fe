"""Values of runs on their way from an event to their end."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from lockstep.model.errors import EngineError
from lockstep.model.messages import Message
from lockstep.model.program import Program
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus, StepStatus


class OwnerLost(EngineError):
    """Another worker, or an operator, took the run; this walk must stop without writing."""

    code = "run.owner_lost"

    def __init__(self, *, run_id: UUID, epoch: int) -> None:
        super().__init__(f"run {run_id}: epoch {epoch} no longer owns it; walk abandoned")
        self.run_id, self.epoch = run_id, epoch


class Parent(msgspec.Struct, frozen=True):
    """The step of a run that has started another run."""

    run_id: UUID
    path: str
    cancels: bool  # the other one with it


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was taken from the stream."""

    id: str  # the event id, `sensor.door`
    payload: JsonObject
    body: bytes  # the payload as published
    delivery: str  # `<stream>:<sequence>:<store time in ns>`
    message_id: str | None
    context_key: str | None
    actor: Actor
    hop: int
    time: datetime  # when the stream stored it
    sequence: int  # 0: not from a stream; it ranks by the time at which it reaches the gate
    message: Message | None = None
    traceparent: str | None = None
    parent: Parent | None = None  # of a run that is started by another run


class Poison(msgspec.Struct, frozen=True):
    """A message that can never be handled, and why."""

    message: Message
    reason: str


class Automation(msgspec.Struct, frozen=True, kw_only=True):
    """An enabled automation as matching sees it."""

    id: str
    name: str
    version: int
    position: int
    program: Program


class Stored(msgspec.Struct, frozen=True):
    """A definition, and of which version the configs of its actions are, where that is not 1."""

    definition: Json
    config_versions: Mapping[str, int]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What matching needs to know of an automation to see whether it has changed."""

    id: str
    name: str
    enabled: bool
    version: int
    position: int


WaitKind: TypeAlias = Literal["delay", "event", "retry", "remote", "child", "deadline"]
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


class Fired(msgspec.Struct, frozen=True):
    """How a wait ended: by an event with its payload, or by its time."""

    cause: Cause
    payload: JsonObject | None = None
    warning: str | None = None  # why its filter could not be judged at an earlier event


class Woken(msgspec.Struct, frozen=True):
    """What has fired of a run and is not taken up, and how often it had been woken by then."""

    wakes: int
    fired: Mapping[UUID, Fired]


StepKey: TypeAlias = tuple[UUID, str]
"""Run id and step path: what an idempotency key says."""


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


class Satisfied(msgspec.Struct, frozen=True):
    """A wait, and the event that ends it."""

    wait: Awaited
    event: Event


class Due(msgspec.Struct, frozen=True):
    """A wait or a timer whose time comes, or has come."""

    id: UUID
    kind: WaitKind | Literal["hold", "schedule"]
    due_at: datetime


class Firing(msgspec.Struct, frozen=True):
    """A wait that was fired, and the worker that executes its run at the moment, if one does."""

    id: UUID
    run_id: UUID
    kind: WaitKind
    has_key: bool
    owner: UUID | None
    due_at: datetime | None


class Sleeper(msgspec.Struct, frozen=True, kw_only=True):
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


def has_key(armed_at: datetime, due_at: datetime | None) -> bool:
    """Say whether a wait has a key on the bus: not if it is over before an alarm could come."""
    return due_at is None or (due_at - armed_at).total_seconds() > KEY_SECONDS


def topic(event_id: str, context_key: str | None) -> bytes:
    """Give what an event and the waits that it may satisfy have in common, in 16 bytes.

    A digest, because a context key may be longer than an index takes.
    """
    text = event_id if context_key is None else f"{event_id}\0{context_key}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class RunState(msgspec.Struct, kw_only=True):
    """A run that a worker owns: what it was started with, and what fences its writes."""

    id: UUID
    automation_id: str
    automation_name: str
    version: int
    trigger_id: str
    trigger_event_id: str
    trigger_payload: JsonObject
    trigger_time: datetime
    message_id: str | None
    hop: int
    actor: Actor
    context_key: str | None
    started_at: datetime
    epoch: int
    gate: str | None = None  # what its queue counts, if it was started in mode `queued`
    parent_run_id: UUID | None = None
    traceparent: str | None = None
    event_seq: int = 0
    document: bytes | None = None  # frames, None before the first checkpoint
    has_frames: bool = True
    wakes: int = 0  # how often a wait of it had fired when this worker looked last
    fired: Mapping[UUID, Fired] = {}  # what has fired and was not taken up when it was claimed


class StepRow(msgspec.Struct, kw_only=True):
    """One visit of an action, as it is stored."""

    seq: int
    path: str
    action_id: str | None
    kind: str
    provider_action_id: str | None
    status: StepStatus
    attempts: int
    error: str | None
    result: Json
    items: list[Json] | None
    started_at: datetime
    finished_at: datetime | None


class ArtifactRow(msgspec.Struct, frozen=True):
    """What a step produced."""

    id: UUID
    action_id: str
    artifact_type: str
    data: JsonObject


class EventRow(msgspec.Struct, frozen=True):
    """An event on its way to the bus; those of one topic leave in order of `seq`."""

    topic: str
    seq: int
    subject: str
    message_id: str
    body: bytes
    created_at: datetime | None = None  # when it was stored, if it was read back from there
    traceparent: str | None = None  # of its run; not stored


class Checkpoint(msgspec.Struct, kw_only=True):
    """What one walk has done since it was last stored."""

    run: RunState
    at: datetime
    document: bytes | None  # None: it ends, and what was stored before is what it stood at
    status: RunStatus  # `running` goes on, `pending` is given up, `waiting` sleeps, else final
    reason: str | None
    error: str | None
    steps: list[StepRow]
    events: list[EventRow]
    artifacts: list[ArtifactRow]
    waits: list[WaitRow] = []
    over: list[UUID] = []  # waits that were taken up
    closed: list[UUID] = []  # artifacts that were closed
    deadline: UUID | None = None  # of the run, where it has one
    wakes: int = 0  # what the walk knew when it decided to sleep


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How runs end that do not end by themselves."""

    status: Literal["cancelled", "failed"]
    reason: str | None = None
    error: str | None = None
    at: datetime


class Ended(msgspec.Struct, frozen=True):
    """A run that was ended from outside: as it was, who executed it, and the waits it left."""

    run: RunState
    owner: UUID | None  # who executed it
    delays: Sequence[UUID]
    awaited: Sequence[UUID]
    ending: Ending


class ChildWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a step asks for."""

    automation: str  # id, or name
    payload: JsonObject
    parent: Parent
    context_key: str | None
    actor: Actor
    hop: int
    traceparent: str | None


class Child(msgspec.Struct, frozen=True):
    """A run that a step has started, and how it is now."""

    run_id: UUID
    status: RunStatus


class ChildRefused(EngineError):
    """A run cannot be started by a step: its automation is not there, or the chain is too long."""

    code = "child.refused"


class Consumable(msgspec.Struct, frozen=True):
    """An open artifact that an action is handed."""

    id: UUID
    data: Json


Consumed = Mapping[str, Consumable]
