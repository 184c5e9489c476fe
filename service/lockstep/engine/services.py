"""The table of what runs in the background of a replica: started in order, drained in reverse."""

import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from lockstep import __version__, bus
from lockstep.bus.service import RequestService
from lockstep.engine import control_api
from lockstep.engine.parts import Assembly, Lane
from lockstep.ports.telemetry import Meter

SWEEP_SECONDS: Final = 5.0  # what nobody has told waits no longer; each sweep is a cheap query
RECONCILE_SECONDS: Final = 300.0  # reads all keys of both buckets
HOUSEKEEPING_SECONDS: Final = 60.0  # nobody waits for it
ANSWER_SECONDS: Final = 10.0  # for requests that have come; those left hear that it stops
PAUSE_SECONDS: Final = 20.0  # what has failed often is tried again that late; others do its work
DRAIN_SECONDS: Final = 5.0  # a commit or an acknowledgement takes some ms; then others go on

Job: TypeAlias = Callable[[], Awaitable[object]]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that runs in the background, under its name in logs, metrics and readiness."""

    name: str
    start: Job | None = None  # done before the next one starts
    run: Job | None = None  # until it is cancelled, or has nothing more to do
    every: float | None = None  # then `run` is one pass, and is done again so many seconds later
    drain: Job | None = None  # finish what is begun, and begin nothing more
    drain_seconds: float = DRAIN_SECONDS
    undrained: Callable[[], None] | None = None  # say what is left when that was not enough
    stop: Job | None = None  # when nothing of it runs any more
    most_pause_seconds: float = PAUSE_SECONDS  # before it is started again after a failure


def table(a: Assembly) -> Sequence[Service]:
    """Give the services of a replica."""
    return [*_storing(a), *_owning(a), *_waking(a), *_taking(a), *_answering(a)]


def _storing(a: Assembly) -> Iterator[Service]:
    """Give what saves and publishes; it is needed until the last walk has ended."""
    hearing, loops = a.hearing, a.loops
    yield Service(name="committer", run=loops.committer.run)
    yield Service(
        name="outbox",
        run=hearing.reporter.run,
        drain=hearing.reporter.drained,
        undrained=_unsent,
    )
    yield Service(name="outbox_sweep", run=hearing.reporter.sweep, every=SWEEP_SECONDS)
    yield Service(name="bus_upkeep", run=loops.upkeep.run)
    yield Service(name="loop_watch", run=loops.loop_watch.run)
    yield Service(name="decisions", run=hearing.decisions.run)
    yield Service(name="kv_mirror", run=hearing.mirror.run)
    yield Service(name="kv_reconciler", run=loops.wakeups.reconcile, every=RECONCILE_SECONDS)
    house = loops.housekeeping
    yield Service(name="housekeeping", run=house.clean, every=HOUSEKEEPING_SECONDS)
    yield Service(name="frozen_sessions", run=house.end_frozen, every=SWEEP_SECONDS)
    yield Service(name="retention", run=house.forget_runs, every=HOUSEKEEPING_SECONDS)


def _owning(a: Assembly) -> Iterator[Service]:
    """Give what makes a worker of this process, and walks its runs."""
    engine, loops, index = a.basis.settings.engine, a.loops, a.knowledge.index
    # Before the heartbeat, so that it ends after it: whoever sees the key go finds the row gone.
    yield Service(
        name="worker_key",
        run=loops.presence.renew,
        every=engine.heartbeat_seconds,
        stop=loops.presence.drop,
    )
    yield Service(
        name="heartbeat",
        start=loops.heartbeat.begin,
        run=loops.heartbeat.run,
        stop=a.tables.workers.retire,
        # Whoever does not beat for `stale_seconds` loses its runs, whatever the beat failed for.
        most_pause_seconds=min(1.0, engine.stale_seconds / 4),
    )
    yield Service(
        name="automations",
        start=functools.partial(index.at_least, 0),
        run=index.refresh,
        every=SWEEP_SECONDS,
    )
    # After the first heartbeat, which tells the one clock; before what is timed by it.
    clock = a.basis.stream_clock
    yield Service(name="stream_clock", start=clock.begin, run=clock.run)
    # Before the walks, so that it outlives them: of a run that ends in the grace its parent hears.
    yield Service(name="child_runs", run=a.pipelines.child_runs.run)
    yield Service(name="child_run_sweep", run=a.pipelines.child_runs.sweep, every=SWEEP_SECONDS)
    yield Service(
        name="walk_pool",
        run=loops.pool.run,
        drain=loops.pool.give_up,
        drain_seconds=engine.grace_seconds,
        undrained=functools.partial(_left, a),
    )


def _waking(a: Assembly) -> Iterator[Service]:
    """Give what lets sleeping runs go on."""
    wakeups = a.loops.wakeups
    yield Service(name="notices", start=functools.partial(_listen, a))
    yield Service(name="worker_watch", run=a.loops.presence.watch)
    yield Service(name="expiry", run=wakeups.expiry.run)
    yield Service(name="wait_timers", run=wakeups.waits.run)
    yield Service(name="wait_sweep", run=wakeups.waits.sweep, every=SWEEP_SECONDS)
    yield Service(name="look_backs", run=a.pipelines.look_backs.run)
    yield Service(name="held_looks", run=a.pipelines.held_looks.run)
    yield Service(name="look_back_sweep", run=a.pipelines.look_backs.sweep, every=SWEEP_SECONDS)
    yield Service(name="trigger_timers", run=wakeups.triggers.run)
    yield Service(name="trigger_sweep", run=wakeups.triggers.sweep, every=SWEEP_SECONDS)
    upkeep = a.pipelines.hold_upkeep
    yield Service(name="hold_upkeep", run=upkeep.compact, every=HOUSEKEEPING_SECONDS)
    yield Service(name="notice_sweep", run=wakeups.hear_missed, every=SWEEP_SECONDS)
    yield Service(name="queue_sweep", run=wakeups.promote, every=SWEEP_SECONDS)
    for alarm in wakeups.alarms:
        yield Service(
            name=f"bus_alarms_{alarm.what}",
            start=alarm.puller.start,
            run=alarm.loop.run,
            drain=functools.partial(_leave, a, alarm.puller),
        )


def _taking(a: Assembly) -> Iterator[Service]:
    """Give what takes up work: runs that are ready, set-ups, events."""
    yield Service(name="claims", run=a.loops.claims.run)
    yield Service(name="unwalked", run=a.loops.unwalked.run)
    yield Service(name="trigger_setups", run=a.pipelines.setups.run)
    yield Service(name="parked", run=a.loops.parked.sweep, every=SWEEP_SECONDS)
    for lane in a.loops.lanes:  # each of its own: what one of them meets is not the others'
        yield Service(
            name=f"intake_{lane.name}" if lane.name else "intake",
            start=lane.puller.start,
            run=lane.intake.run,
            drain=functools.partial(_finish, a, lane),
        )


def _answering(a: Assembly) -> Iterator[Service]:
    api = RequestService(
        a.edge.connection,
        version=__version__,
        endpoints=control_api.endpoints(a),
        metadata={"worker": str(a.basis.id)},
        answered=functools.partial(_answered, meter=a.basis.meter),
    )
    yield Service(
        name="api",
        start=api.start,
        drain=functools.partial(api.stop, ANSWER_SECONDS),
        drain_seconds=ANSWER_SECONDS + DRAIN_SECONDS,
    )


def _answered(endpoint: str, code: str, meter: Meter) -> None:
    """Count a reply, under the name that the endpoint has in the documents."""
    meter.answered(endpoint.replace("-", "."), code)


async def _listen(a: Assembly) -> None:
    """Hear what other replicas tell this one. Raise Unavailable."""
    await a.edge.connection.listen(
        a.edge.connection.names.worker(str(a.basis.id)),
        lambda _subject, _reply, _head, body: a.hearing.notifier.hear(body),
    )


async def _leave(a: Assembly, puller: bus.Puller) -> None:
    """Ask for no more messages; without a bus there is nobody to ask."""
    if a.edge.connection.healthy:
        await puller.stop()


async def _finish(a: Assembly, lane: Lane) -> None:
    """Let a batch in work be finished: cut off in its commit, its runs would be nobody's."""
    if a.edge.connection.healthy:
        await lane.puller.stop()
        await lane.intake.finished()


def _left(a: Assembly) -> None:
    log.warning("runs.left", runs=a.hearing.places.active)


def _unsent() -> None:
    log.warning("outbox.delayed", error="not all run events were sent; others will")
