"""The control API: how the whole of it is, for operators."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from .base import Struct
from .parked import ParkedKind


class StatusRequest(Struct, frozen=True):
    """Request of `status`."""


class ServerVersions(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What runs: of NATS and PostgreSQL null where they do not answer."""

    engine: Annotated[str, Meta(description="Of Lockstep.")]
    nats: Annotated[str | None, Meta(description="Of the NATS server.")]
    postgres: Annotated[str | None, Meta(description="Of the PostgreSQL server.")]
    migration: Annotated[str | None, Meta(description="The last one that was applied.")]


class WorkerStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A replica: whether it has been heard of lately, and how many runs it executes."""

    id: Annotated[str, Meta(description="Of this start of the process.")]
    host: Annotated[str, Meta(description="Where it runs.")]
    version: Annotated[str, Meta(description="Of Lockstep there.")]
    started_at: Annotated[datetime, Meta(description="When it started.")]
    heartbeat_at: Annotated[datetime, Meta(description="When it was heard of last.")]
    silent_seconds: Annotated[float, Meta(description="Since then.")]
    alive: Annotated[bool, Meta(description="Whether that is recent enough.")]
    runs: Annotated[int, Meta(description="How many runs it executes.")]


class QueueStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A consumer group: what waits in the stream, and what was handed out and is in work."""

    kind: Annotated[
        Literal["events", "lane", "alarms"], Meta(description="What the group handles.")
    ]
    name: Annotated[str, Meta(description="`events`, the name of the lane, or the bucket.")]
    stream: Annotated[str, Meta(description="Its stream.")]
    consumer: Annotated[str, Meta(description="The durable group.")]
    pending: Annotated[int, Meta(description="Messages that nobody has taken.")]
    ack_pending: Annotated[int, Meta(description="Messages that are in work.")]
    redelivered: Annotated[int, Meta(description="Messages in work that were handed out before.")]
    oldest_seconds: Annotated[
        float | None, Meta(description="Age of the oldest of all these; null: there are none.")
    ]


class RunsStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Active runs: `ready` ones wait for a place, `queued` ones for their turn."""

    running: Annotated[int, Meta(description="Executed now.")]
    ready: Annotated[int, Meta(description="Waiting for a place.")]
    queued: Annotated[int, Meta(description="Waiting for their turn.")]
    waiting: Annotated[int, Meta(description="Asleep.")]
    oldest_ready_seconds: Annotated[
        float | None, Meta(description="How long the first one waits for a place.")
    ]


class WaitsStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Runs by what they wait for; of `sleeping` ones nothing but time wakes them."""

    delay: Annotated[int, Meta(description="For a delay.")]
    event: Annotated[int, Meta(description="For an event.")]
    retry: Annotated[int, Meta(description="For the next attempt.")]
    remote: Annotated[int, Meta(description="For the result of a remote action.")]
    child: Annotated[int, Meta(description="For the end of another run.")]
    sleeping: Annotated[int, Meta(description="Only time wakes these.")]
    next_due_at: Annotated[datetime | None, Meta(description="When the next one is due.")]


class OutboxStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Run events that are stored but not published yet."""

    events: Annotated[int, Meta(description="How many.")]
    oldest_seconds: Annotated[
        float | None, Meta(description="Age of the oldest; null: there are none.")
    ]


BegunBecause: TypeAlias = Literal["first", "leader", "jump"]


class ClockStatus(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """How far the clock of the stream of events is ahead of that of the engine."""

    stream: Annotated[str, Meta(description="The stream of events.")]
    leader: Annotated[
        str, Meta(description="The server of NATS that leads it; empty: there is but one.")
    ]
    ahead_ms: Annotated[
        float,
        Meta(
            description="By so much it is ahead of the engine's, which is that of PostgreSQL; "
            "negative: behind. Times of events are corrected by it."
        ),
    ]
    error_ms: Annotated[float, Meta(description="By so much that may be wrong.")]
    measured_at: Annotated[datetime, Meta(description="When that was measured.")]
    begun_at: Annotated[datetime, Meta(description="Since when it is measured without a break.")]
    begun_because: Annotated[
        BegunBecause,
        Meta(
            description="Why it was begun anew then: the `first` time, another `leader` of the "
            "stream, or a `jump` of one of both clocks."
        ),
    ]
    was_ahead_ms: Annotated[float | None, Meta(description="By how much it was ahead before that.")]
    doubt: Annotated[
        str | None,
        Meta(
            description="Why the worker that answered does not trust it now: nothing expires "
            "there meanwhile that an event could still change."
        ),
    ]


class SlowAutomation(Struct, frozen=True, kw_only=True):
    """An automation whose filters take long; its events are handled behind the others."""

    automation_id: Annotated[str, Meta(description="Which one.")]
    average_ms: Annotated[
        float, Meta(description="Processor time of filters and conditions for one event.")
    ]


class Status(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """How it is now. What a server did not tell is null, and `problems` says why."""

    at: Annotated[datetime, Meta(description="When this was read.")]
    answered_by: Annotated[str, Meta(description="The worker that answered.")]
    versions: Annotated[ServerVersions, Meta(description="What runs.")]
    workers: Annotated[list[WorkerStatus] | None, Meta(description="All replicas that are known.")]
    queues: Annotated[list[QueueStatus] | None, Meta(description="The consumer groups.")]
    runs: Annotated[RunsStatus | None, Meta(description="Active runs.")]
    waits: Annotated[WaitsStatus | None, Meta(description="What runs wait for.")]
    outbox: Annotated[OutboxStatus | None, Meta(description="What is not published yet.")]
    dead_letters: Annotated[int | None, Meta(description="How many there are.")]
    parked: Annotated[
        dict[ParkedKind, int] | None,
        Meta(description="What no replica could handle, by kind: `lockstep parked list`."),
    ]
    slow_automations: Annotated[
        list[SlowAutomation],
        Meta(
            description="Automations whose filters and conditions take more than 2 ms on average "
            "at the worker that answered."
        ),
    ] = []
    clock: Annotated[
        ClockStatus | None,
        Meta(description="The clock of the stream of events; null: it was not measured yet."),
    ] = None
    problems: Annotated[
        list[str],
        Meta(description="What is wrong with the worker that answered; what could not be told."),
    ]
