"""Puts together what lets sleeping runs go on: timers, alarms, and what asks whether it may."""

from collections.abc import Callable

from lockstep import bus, store, wake
from lockstep.bus.names import ENGINE
from lockstep.engine.parts import Basis, Connections, Hearing, Pipelines, Tables
from lockstep.engine.wakeups import Alarm, Ringer, Wakeups
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message


def expiry(
    basis: Basis,
    edge: Connections,
    tables: Tables,
    decode: Callable[[Message], Event | Poison],
    stamp: Callable[[Message], None] | None,
) -> wake.Expiry:
    """Make what lets something expire only when no event can change it any more."""
    events = bus.UnhandledEvents(
        edge.connection, edge.connection.names, basis.clock, basis.stream_clock, decode, stamp
    )
    engine = basis.settings.engine
    return wake.Expiry(
        events,
        tables.waits,
        basis.clock,
        basis.stream_clock,
        engine.expire_look_ms / 1000,
        engine.expire_hold_max_seconds,
    )


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
        waits=wake.TimerService(hearing.wait_timers, wait_rows, clock, due_waits.fire, rate),
        triggers=wake.TimerService(
            hearing.trigger_timers, timer_rows, clock, pipelines.timers.fire, rate
        ),
        alarms=alarms,
    )
