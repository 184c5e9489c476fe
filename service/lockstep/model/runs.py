"""Runs that a worker owns: their state, their steps, what is saved of them, how they end."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from lockstep.model.errors import EngineError
from lockstep.model.outbox import EventRow
from lockstep.model.texts import storable
from lockstep.model.waits import FiredWait, WaitRow
from lockstep_schemas.api import Run
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus, StepStatus


class OwnerLost(EngineError):
    """Another worker, or an operator, took the run; this walk must stop without writing."""

    code = "run.owner_lost"
    category = "conflict"
    advice = "Nothing: the run goes on, or has ended, elsewhere."

    def __init__(self, *, run_id: UUID, epoch: int) -> None:
        super().__init__(f"run {run_id}: epoch {epoch} no longer owns it; walk abandoned")
        self.run_id, self.epoch = run_id, epoch


class SharedBody(msgspec.Struct, frozen=True, weakref=True):
    """The payload of an event that several runs have in common."""

    payload: JsonObject


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
    queue_key: str | None = None  # what its queue counts, if it was started in mode `queued`
    parent_run_id: UUID | None = None
    traceparent: str | None = None
    body: SharedBody | None = None  # where the payload is shared: it is kept as long as one has it
    event_seq: int = 0
    document: bytes | None = None  # frames, None before the first checkpoint
    has_frames: bool = True
    wakes: int = 0  # how often a wait of it had fired when this worker looked last
    fired: Mapping[UUID, FiredWait] = {}  # what has fired and was not taken up when it was claimed


class ArtifactRow(msgspec.Struct, frozen=True):
    """What a step produced."""

    id: UUID
    action_id: str
    artifact_type: str
    data: bytes  # as JSON


class Consumable(msgspec.Struct, frozen=True):
    """An open artifact that an action is handed."""

    id: UUID
    data: Json


Consumed = Mapping[str, Consumable]


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
    items: bytes | None  # of a for_each, as JSON
    started_at: datetime
    finished_at: datetime | None


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
    io: Mapping[int, bytes] = {}  # lines to add to what is kept of steps, by seq; see `walk.notes`


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How runs end that do not end by themselves."""

    status: Literal["cancelled", "failed"]
    reason: str | None = None
    error: str | None = None
    at: datetime

    def __post_init__(self) -> None:
        for name in ("reason", "error"):
            if (text := getattr(self, name)) is not None:
                msgspec.structs.force_setattr(self, name, storable(text))


class Ended(msgspec.Struct, frozen=True):
    """A run that was ended from outside: as it was, who executed it, and the waits it left."""

    run: RunState
    owner: UUID | None  # who executed it
    delays: Sequence[UUID]
    awaited: Sequence[UUID]
    ending: Ending
    has_started: bool = True  # else it was still in a queue, or waited for a place


class FoundRuns(msgspec.Struct, frozen=True):
    """A page of runs as operators see them, newest first."""

    runs: Sequence[Run]
    positions: Sequence[int]  # of each: a page goes on behind one
    total: int  # that match, of all pages
    is_exact: bool  # else the total is an estimate
    floor: int | None = None  # the position down to which was looked, if not through all
