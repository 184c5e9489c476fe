"""Values of runs on their way from an event to their end."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.model.errors import EngineError
from lockstep.model.messages import Message
from lockstep.model.program import Program, TriggerRule
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus, StepStatus


class OwnerLost(EngineError):
    """Another worker, or an operator, took the run; this walk must stop without writing."""

    code = "run.owner_lost"

    def __init__(self, *, run_id: UUID, epoch: int) -> None:
        super().__init__(f"run {run_id}: epoch {epoch} no longer owns it; walk abandoned")
        self.run_id, self.epoch = run_id, epoch


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
    sequence: int
    message: Message


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


class Hit(msgspec.Struct, frozen=True):
    """An event that a trigger asks for."""

    event: Event
    automation: Automation
    trigger: TriggerRule


class Admission(msgspec.Struct, frozen=True):
    """What the gate decided: a run, or a refusal with its reason."""

    hit: Hit
    refusal: str | None = None


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """A run row that is about to be inserted."""

    id: UUID
    hit: Hit
    status: RunStatus  # running with this worker as its owner, pending, or skipped
    reason: str | None
    at: datetime


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What matching needs to know of an automation to see whether it has changed."""

    id: str
    name: str
    enabled: bool
    version: int
    position: int


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
    event_seq: int = 0
    document: bytes | None = None  # frames, None before the first checkpoint
    has_frames: bool = True


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


class Checkpoint(msgspec.Struct, kw_only=True):
    """What one walk has done since it was last stored."""

    run: RunState
    at: datetime
    document: bytes
    status: RunStatus  # `running` goes on, `pending` is given up, others are final
    reason: str | None
    error: str | None
    steps: list[StepRow]
    events: list[EventRow]
    artifacts: list[ArtifactRow]


Consumed = Mapping[str, Json]
