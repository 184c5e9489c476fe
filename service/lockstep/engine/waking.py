"""Puts together what lets sleeping runs go on: timers, alarms, and what asks whether it may."""

from collections.abc import Callable

from lockstep import bus, pipeline, store, wake
from lockstep.bus.names import ENGINE
from lockstep.bus.reading.unhandled import UnhandledEvents
from lockstep.engine.parts import Basis, Connections, Hearing, Pipelines, Tables
from lockstep.engine.wakeups import Alarm, Ringer, Wakeups
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.ports.unhandled import Unhandled


def unhandled(
    basis: Basis,
    edge: Connections,
    decode: Callable[[Message], Event | Poison],
    stamp: Callable[[Message], None] | None,
) -> UnhandledEvents:
    """Make what asks the stream for events that nobody has handled."""
    return UnhandledEvents(
        edge.connection, edge.connection.names, basis.clock, basis.stream_clock, decode, stamp
    )


def expiry(basis: Basis, tables: Tables, events: Unhandled) -> wake.Expiry:
    """Make what lets something expire only when no event can change it any more."""
    engine = basis.settings.engine
    return wake.Expiry(
        events,
        tables.waits,
        basis.clock,
        basis.stream_clock,
        engine.expire_look_ms / 1000,
        engine.expire_hold_max_seconds,
        _steady(basis),
    )


def held_looks(basis: Basis, hearing: Hearing, events: Unhandled) -> pipeline.HeldLooks:
    """Make what says whether waits that look back may take what they have found."""
    engine = basis.settings.engine
    times = pipeline.HoldTimes(
        pause_seconds=engine.expire_look_ms / 1000, most_seconds=engine.expire_hold_max_seconds
    )
    return pipeline.HeldLooks(events, hearing.looking, times, _steady(basis))


def _steady(basis: Basis) -> wake.Steady:
    """Make what knows since when all is well; a worker whose beats are stored can store."""
    return wake.Steady(lambda: basis.roster.since)


def wakeups(
    basis: Basis, edge: Connections, tables: Tables, hearing: Hearing, pipelines: Pipelines
) -> Wakeups:
    """Make what fires what is due, and what looks for what nobody has told."""
    engine, clock, names = basis.settings.engine, basis.clock, edge.connection.names
    stale, rate = basis.roster.stale, engine.late_wakes_per_second
    due_waits = wake.DueWaits(
        tables.waits, clock, hearing.all, pipelines.terminator, basis.meter, pipelines.expiry
    )
    wait_rows = store.DueRows(edge.database, basis.id, stale, "waits")
    timer_rows = store.DueRows(edge.database, basis.id, stale, "timers")
    ring = Ringer(due_waits, pipelines.timers).ring
    alarms = []
    for what, bucket in (("delay", names.delays_bucket), ("wait", names.waits_bucket)):
        stream = names.bucket_stream(bucket)
        puller = bus.Puller(edge.connection, stream=stream, consumer=ENGINE)
        alarms.append(Alarm(what=what, puller=puller, loop=wake.BusAlarms(puller, ring, rate)))
    return Wakeups(
        connection=edge.connection,
        clock=clock,
        places=hearing.places,
        rows=tables.waits,
        timers=(hearing.wait_timers, hearing.trigger_timers),
        mirror=hearing.mirror,
        expiry=pipelines.expiry,
        waits=wake.TimerService(
            hearing.wait_timers, wait_rows, clock, due_waits.fire, rate, pipelines.expiry
        ),
        triggers=wake.TimerService(
            hearing.trigger_timers, timer_rows, clock, pipelines.timers.fire, rate, pipelines.expiry
        ),
        alarms=alarms,
    )
