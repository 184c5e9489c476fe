"""What a replica is made of, once it is made. Nothing of it is set later."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from lockstep import (
    bus,
    checkpoint,
    fetch,
    intake,
    matching,
    pipeline,
    replicas,
    report,
    store,
    telemetry,
    wake,
    walk,
)
from lockstep.bus.reading.unhandled import UnhandledEvents
from lockstep.cancel import Terminator
from lockstep.catalog import MemoryCatalog, Registered
from lockstep.engine.faults import Faults
from lockstep.engine.housekeeping import Housekeeping
from lockstep.engine.upkeep import Upkeep
from lockstep.engine.wakeups import Wakeups
from lockstep.model.messages import Message, Told
from lockstep.ports.bus import MessageSource
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep.ports.pipeline import EventPipeline
from lockstep.ports.telemetry import Meter, Traces
from lockstep.render import Renderer
from lockstep.settings.structs import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """Where others may look in, or put something of their own: cases, tests, tools."""

    clock: Clock | None = None  # else that of the database
    told: Callable[[], Awaitable[Told]] | None = None  # what time it is on the stream; else asked
    stamp: Callable[[Message], None] | None = None  # say when the stream stored what is looked at
    meter: Meter | None = None
    traces: Traces | None = None
    listeners: Sequence[Listener] = ()  # they hear before all others
    # Around each consumer group of events.
    source: Callable[[MessageSource], MessageSource] | None = None
    events: Callable[[EventPipeline], EventPipeline] | None = None  # around the way of an event
    retries: intake.Retries | None = None  # of events whose handling fails
    frames: walk.FrameFormat | None = None  # in which runs are saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What everything is made with."""

    id: UUID
    settings: Settings
    clock: Clock
    database_clock: store.DatabaseClock
    stream_clock: replicas.StreamClock
    roster: replicas.Roster
    meter: Meter
    traces: Traces | None
    frames: walk.FrameFormat
    faults: Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What a replica is connected to."""

    database: store.Store
    connection: bus.Connection
    publisher: bus.Publisher
    outgoing: bus.Outgoing
    asker: bus.Asker
    http: fetch.HttpClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables that several parts share."""

    runs: store.RunStore
    waits: store.WaitStore
    decisions: store.DecisionStore
    workers: store.WorkerStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What a replica knows of automations and types."""

    catalog: MemoryCatalog
    registered: Registered
    renderer: Renderer
    automations: store.AutomationStore
    index: matching.Index


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Those who hear of commits; each holds what a service does later."""

    places: walk.Places
    wait_timers: wake.WaitTimers
    trigger_timers: wake.TriggerTimers
    mirror: wake.KvMirror
    notifier: replicas.Notifier
    reporter: report.Reporter
    child_run_news: pipeline.ChildRunNews
    looking: pipeline.LookBackNews
    decisions: report.DecisionLog
    all: Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipelines:
    """The ways to a run, and what ends one from outside."""

    terminator: Terminator
    expiry: wake.Expiry
    events: pipeline.EventPipeline
    parked_events: pipeline.ParkedEvents
    by_hand: pipeline.ByHand
    timers: pipeline.TriggerTimersDue
    hold_upkeep: pipeline.HoldUpkeep
    held_looks: pipeline.HeldLooks
    look_backs: pipeline.LookBacks
    child_runs: pipeline.ChildRuns
    setups: pipeline.TriggerSetups
    pace: pipeline.JudgingPace
    events_left: UnhandledEvents


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The events of one consumer group, on their way in."""

    name: str  # empty: events without a lane
    puller: bus.Puller
    intake: intake.Intake


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """What runs in the background; `services` says in which order."""

    committer: checkpoint.Committer
    pool: walk.WalkPool
    heartbeat: replicas.Heartbeat
    claims: replicas.Claims
    unwalked: replicas.Unwalked
    presence: replicas.Presence
    parked: replicas.ParkedTrials
    wakeups: Wakeups
    lanes: Sequence[Lane]
    housekeeping: Housekeeping
    upkeep: Upkeep
    loop_watch: telemetry.LoopWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """One replica, put together."""

    basis: Basis
    edge: Connections
    tables: Tables
    knowledge: Knowledge
    hearing: Hearing
    pipelines: Pipelines
    loops: Loops
