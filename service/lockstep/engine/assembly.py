"""The composition: one replica is put together from its settings, in one visible order.

Each part is handed what it needs when it is made; nothing is set later. What looks like a circle is
opened by `Places` and by the listeners, which hold what a service made later carries out.
"""

import functools
import math
import socket
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from lockstep import (
    __version__,
    bus,
    catalog,
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
from lockstep.cancel import Terminator
from lockstep.engine import glue
from lockstep.engine.faults import Faults
from lockstep.engine.housekeeping import Housekeeping
from lockstep.engine.listeners import Listeners
from lockstep.engine.parts import (
    Assembly,
    Basis,
    Connections,
    Hearing,
    Knowledge,
    Lane,
    Loops,
    Pipelines,
    Seams,
    Tables,
)
from lockstep.engine.upkeep import Upkeep
from lockstep.engine.wakeups import Wakeups
from lockstep.engine.waking import expiry, held_looks, unhandled, wakeups
from lockstep.model.ids import uuid7
from lockstep.ports.actions import Asker, Children, HttpCaller, Messages
from lockstep.ports.bus import Publisher
from lockstep.ports.listeners import Listener
from lockstep.render import Renderer
from lockstep.settings.structs import Settings
from lockstep_schemas.events import ACTION_DONE


def build(
    settings: Settings,
    database: store.Store,
    connection: bus.Connection,
    types: catalog.MemoryCatalog,
    services: catalog.ServiceBag,
    seams: Seams | None = None,
) -> Assembly:
    """Put a replica together; nothing runs yet. `services` are lent to actions."""
    seams = seams or Seams()
    edge = _edge(settings, database, connection)
    database_clock = store.DatabaseClock()
    clock = seams.clock or database_clock
    error = None if seams.clock else lambda: database_clock.error
    basis = Basis(
        id=uuid7(),
        settings=settings,
        clock=clock,
        database_clock=database_clock,
        stream_clock=glue.stream_clock(edge, clock, seams.told, error),
        roster=replicas.Roster(settings.engine.stale_seconds),
        meter=seams.meter or telemetry.Measures(),
        traces=seams.traces,
        frames=seams.frames or walk.FrameFormat(),
        faults=Faults(),
    )
    tables = Tables(
        runs=store.RunStore(database, basis.id),
        waits=store.WaitStore(database, basis.id),
        decisions=store.DecisionStore(database),
        workers=store.WorkerStore(database, basis.id),
    )
    knowledge = _knowledge(edge, types)
    hearing = _hearing(basis, edge, tables, seams.listeners)
    pipelines = _pipelines(basis, edge, tables, knowledge, hearing, seams)
    services.add(Publisher, edge.publisher).add(Asker, edge.asker).add(Messages, edge.outgoing)
    services.add(HttpCaller, edge.http).add(Children, pipelines.child_runs)
    loops = _loops(basis, edge, tables, knowledge, hearing, pipelines, services, seams)
    for part in (loops.upkeep, basis.stream_clock, pipelines.expiry, pipelines.held_looks):
        basis.faults.ask(part.faults)
    return Assembly(
        basis=basis,
        edge=edge,
        tables=tables,
        knowledge=knowledge,
        hearing=hearing,
        pipelines=pipelines,
        loops=loops,
    )


def _edge(settings: Settings, database: store.Store, connection: bus.Connection) -> Connections:
    publisher = bus.Publisher(connection)
    return Connections(
        database=database,
        connection=connection,
        publisher=publisher,
        outgoing=bus.Outgoing(connection, publisher),
        asker=bus.Asker(connection),
        http=fetch.HttpClient(settings.http),
    )


def _knowledge(edge: Connections, types: catalog.MemoryCatalog) -> Knowledge:
    renderer = Renderer(types.filters)
    automations = store.AutomationStore(edge.database)
    reading = edge.database.apart("index")
    registered = catalog.Registered(store.TypeStore(reading), types, edge.connection.names.action)
    compiled = functools.partial(glue.compiled, renderer, types)
    return Knowledge(
        catalog=types,
        registered=registered,
        renderer=renderer,
        automations=automations,
        index=matching.Index(store.AutomationStore(reading), compiled, registered.refresh),
    )


def _hearing(
    basis: Basis, edge: Connections, tables: Tables, others: Sequence[Listener]
) -> Hearing:
    """Make the listeners, and the one list in whose order they hear."""
    settings, clock, connection = basis.settings, basis.clock, edge.connection
    places = walk.Places(settings.engine.max_walks)
    wait_timers, trigger_timers = wake.WaitTimers(clock), wake.TriggerTimers(clock)
    mirror = wake.KvMirror(
        bus.Bucket(connection, "delay"),
        bus.Bucket(connection, "wait"),
        tables.waits.sleepers,
        functools.partial(bus.prepare, connection),
    )
    notifier = replicas.Notifier(basis.id, places, functools.partial(glue.post, connection))
    reporter = report.Reporter(
        store.OutboxStore(edge.database, basis.id),
        edge.publisher,
        glue.RunStream(connection),
        clock,
        settings.nats.duplicate_window_seconds,
    )
    news, looking = pipeline.ChildRunNews(), pipeline.LookBackNews()
    decisions = report.DecisionLog(tables.decisions, clock, is_kept=settings.engine.judgements > 0)
    everybody = [
        *others,
        places,
        reporter,
        wait_timers,
        trigger_timers,
        mirror,
        notifier,
        news,
        looking,
        telemetry.Measured(basis.meter),
        *([telemetry.Traced(basis.traces)] if basis.traces is not None else []),
        decisions,
    ]
    return Hearing(
        places=places,
        wait_timers=wait_timers,
        trigger_timers=trigger_timers,
        mirror=mirror,
        notifier=notifier,
        reporter=reporter,
        child_run_news=news,
        looking=looking,
        decisions=decisions,
        all=Listeners(everybody, basis.meter),
    )


def _pipelines(
    basis: Basis,
    edge: Connections,
    tables: Tables,
    knowledge: Knowledge,
    hearing: Hearing,
    seams: Seams,
) -> Pipelines:
    settings, types = basis.settings, knowledge.catalog
    engine, prefix = settings.engine, settings.nats.prefix
    terminator = Terminator(tables.waits, basis.clock, prefix, hearing.reporter, hearing.all)
    told = basis.stream_clock.time
    decoder = intake.Decoder(types, prefix, engine.hop_limit, {ACTION_DONE}, told)
    pace = pipeline.JudgingPace(decoder.event_id)
    events_left = unhandled(basis, edge, decoder.decode, seams.stamp)
    held, expiring = held_looks(basis, hearing, events_left), expiry(basis, tables, events_left)
    parts = _parts(basis, edge, knowledge, hearing, terminator, expiring, pace)
    children = store.ChildStore(edge.database)
    setups = store.SetupStore(edge.database, basis.id, basis.roster.stale)
    events = pipeline.EventPipeline(
        parts, decoder.decode, types, tables.waits.known_steps, basis.traces
    )
    return Pipelines(
        terminator=terminator,
        expiry=expiring,
        events=events,
        parked_events=pipeline.ParkedEvents(
            store.ParkedStore(edge.database, basis.id),
            events,
            decoder.decode,
            parts,
            bus.DeadLetters(edge.connection, edge.publisher),
            settings.parked.hours,
        ),
        by_hand=pipeline.ByHand(
            replace(parts, transactions=store.Batches(edge.database, basis.id, answered=True))
        ),
        timers=pipeline.TriggerTimersDue(parts),
        hold_upkeep=pipeline.HoldUpkeep(store.HoldStore(edge.database), events_left, parts),
        held_looks=held,
        look_backs=pipeline.LookBacks(tables.waits, hearing.looking, held, parts),
        child_runs=pipeline.ChildRuns(
            children, hearing.child_run_news, parts, types, engine.hop_limit
        ),
        setups=pipeline.TriggerSetups(setups, types, parts),
        pace=pace,
        events_left=events_left,
    )


def _parts(
    basis: Basis,
    edge: Connections,
    knowledge: Knowledge,
    hearing: Hearing,
    terminator: Terminator,
    expiring: wake.Expiry,
    pace: pipeline.JudgingPace,
) -> pipeline.PipelineParts:
    return pipeline.PipelineParts(
        transactions=store.Batches(edge.database, basis.id),
        index=knowledge.index,
        places=hearing.places,
        terminator=terminator,
        compile_filter=knowledge.renderer.expression,
        listener=hearing.all,
        clock=basis.clock,
        expiring=expiring,
        pace=pace,
        decisions_are_kept=hearing.decisions.has_room,
        prefix=basis.settings.nats.prefix,
    )


def _loops(
    basis: Basis,
    edge: Connections,
    tables: Tables,
    knowledge: Knowledge,
    hearing: Hearing,
    pipelines: Pipelines,
    services: catalog.ServiceBag,
    seams: Seams,
) -> Loops:
    engine, places = basis.settings.engine, hearing.places
    committer = checkpoint.Committer(tables.runs, hearing.all)
    walking = _walking(basis, edge, tables, knowledge, committer, services)
    heartbeat = replicas.Heartbeat(
        functools.partial(glue.beat, tables.workers),
        basis.database_clock.synchronise,
        basis.roster,
        engine.heartbeat_seconds,
        engine.stale_seconds,
    )
    lanes = _lanes(basis, edge, pipelines, seams)
    claims = replicas.Claims(
        tables.runs,
        places,
        heartbeat,
        basis.roster.stale,
        basis.clock,
        hearing.reporter,
        [lane.intake for lane in lanes],
        engine.max_ready_runs,
    )
    waking = wakeups(basis, edge, tables, hearing, pipelines)
    return Loops(
        committer=committer,
        pool=walk.WalkPool(places, walking, knowledge.index.program),
        heartbeat=heartbeat,
        claims=claims,
        unwalked=replicas.Unwalked(tables.runs, places),
        presence=_presence(basis, edge, [claims, waking]),
        wakeups=waking,
        parked=_parked(basis, edge, tables, knowledge, hearing, pipelines, waking),
        lanes=lanes,
        upkeep=Upkeep(edge.connection),
        housekeeping=_housekeeping(basis, edge, tables),
        loop_watch=telemetry.LoopWatch(basis.meter),
    )


def _housekeeping(basis: Basis, edge: Connections, tables: Tables) -> Housekeeping:
    return Housekeeping(
        basis.settings.engine,
        edge.database,
        tables.workers,
        basis.roster.stale,
        tables.decisions,
        store.Retention(edge.database),
        store.Receipts(edge.database),
        store.RecentEvents(edge.database, basis.settings.engine.lookback_bytes),
        bus.Lag(edge.connection),
        basis.clock,
        basis.stream_clock,
    )


def _parked(
    basis: Basis,
    edge: Connections,
    tables: Tables,
    knowledge: Knowledge,
    hearing: Hearing,
    pipelines: Pipelines,
    waking: Wakeups,
) -> replicas.ParkedTrials:
    return replicas.ParkedTrials(
        rows=store.ParkedStore(edge.database, basis.id),
        runs=tables.runs,
        knowledge=knowledge.index,
        places=hearing.places,
        report=hearing.reporter,
        clock=basis.clock,
        fire_waits=waking.waits.fire,
        fire_timers=waking.triggers.fire,
        events=pipelines.parked_events,
    )


def _walking(
    basis: Basis,
    edge: Connections,
    tables: Tables,
    knowledge: Knowledge,
    committer: checkpoint.Committer,
    services: catalog.ServiceBag,
) -> walk.WalkParts:
    return walk.WalkParts(
        checkpoints=committer,
        history=tables.runs,
        catalog=knowledge.catalog,
        refresh_types=knowledge.registered.refresh,
        secrets=glue.resolver(basis.settings.secrets, edge),
        services=services,
        traces=basis.traces,
        clock=basis.clock,
        frames=basis.frames,
        prefix=basis.settings.nats.prefix,
        step_events=basis.settings.engine.step_events,
        keep_io_bytes=basis.settings.engine.keep_io_bytes,
    )


def _lanes(basis: Basis, edge: Connections, pipelines: Pipelines, seams: Seams) -> Sequence[Lane]:
    dead_letters = bus.DeadLetters(edge.connection, edge.publisher)
    events = pipelines.events if seams.events is None else seams.events(pipelines.events)
    lanes = []
    for name in ("", *basis.settings.nats.lanes):
        puller = bus.Puller(edge.connection, lane=name)
        source = puller if seams.source is None else seams.source(puller)
        taker = intake.Intake(
            source,
            events,
            dead_letters,
            edge.database,
            basis.settings.engine.batch_size,
            basis.meter,
            seams.retries or intake.Retries(),
            pipelines.pace.is_slow,
        )
        lanes.append(Lane(name=name, puller=puller, intake=taker))
    return lanes


def _presence(
    basis: Basis, edge: Connections, successors: Sequence[replicas.Successor]
) -> replicas.Presence:
    body = msgspec.json.encode({"host": socket.gethostname(), "version": __version__})
    ttl_seconds = max(1, math.ceil(basis.settings.engine.stale_seconds))
    keys = bus.WorkerKeys(edge.connection)
    return replicas.Presence(basis.id, keys, body, ttl_seconds, successors)
