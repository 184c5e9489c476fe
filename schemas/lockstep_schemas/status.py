"""The control API: how the whole of it is, for operators."""

from datetime import datetime
from typing import Literal

from .base import Struct


class StatusRequest(Struct, frozen=True):
    """Request of `status`."""


class ServerVersions(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What runs: of NATS and PostgreSQL null where they do not answer."""

    engine: str
    nats: str | None
    postgres: str | None
    migration: str | None


class WorkerStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A replica: whether it has been heard of lately, and how many runs it executes."""

    id: str
    host: str
    version: str
    started_at: datetime
    heartbeat_at: datetime
    silent_seconds: float
    alive: bool
    runs: int


class QueueStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A consumer group: what waits in the stream, and what was handed out and is in work."""

    kind: Literal["events", "lane", "alarms"]
    name: str
    stream: str
    consumer: str
    pending: int
    ack_pending: int
    redelivered: int
    oldest_seconds: float | None


class RunsStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Active runs: `ready` ones wait for a place, `queued` ones for their turn."""

    running: int
    ready: int
    queued: int
    waiting: int
    oldest_ready_seconds: float | None


class WaitsStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Runs by what they wait for; of `sleeping` ones nothing but time wakes them."""

    delay: int
    event: int
    retry: int
    remote: int
    child: int
    sleeping: int
    next_due_at: datetime | None


class OutboxStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Run events that are stored but not published yet."""

    events: int
    oldest_seconds: float | None


class Status(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """How it is now. What a server did not tell is null, and `problems` says why."""

    at: datetime
    answered_by: str
    versions: ServerVersions
    workers: list[WorkerStatus] | None
    queues: list[QueueStatus] | None
    runs: RunsStatus | None
    waits: WaitsStatus | None
    outbox: OutboxStatus | None
    dead_letters: int | None
    problems: list[str]
