"""What is measured of one engine, put together: where its numbers come from."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lockstep import bus, probes, store
from lockstep.intake import Receive
from lockstep.model.errors import EngineError
from lockstep.model.messages import Message
from lockstep.model.runs import Checkpoint, Ended, Event, EventRow, Poison
from lockstep.model.verdicts import Verdict
from lockstep.ports import Meter, Traces
from lockstep_schemas.run_events import ACTIVE

if TYPE_CHECKING:
    from lockstep.app import Engine


Decode: TypeAlias = Callable[[Message], Event | Poison]


def committed(done: Checkpoint, meter: Meter, traces: Traces | None) -> Sequence[EventRow]:
    """Measure what a walk has done, once it is stored; give its events, each within its span."""
    for step in done.steps:
        if step.finished_at is not None:
            meter.step_ended(step.kind, (step.finished_at - step.started_at).total_seconds())
    if done.status not in ACTIVE:
        meter.run_ended(done.status, (done.at - done.run.started_at).total_seconds())
        if traces is not None:
            traces.run_ended(done.run, done.status, done.at, done.error or done.reason)
    if traces is None:
        return done.events
    traceparent = traces.traceparent(done.run)
    return [msgspec.structs.replace(row, traceparent=traceparent) for row in done.events]


def ended_outside(ended: Sequence[Ended], meter: Meter, traces: Traces | None) -> None:
    """Measure runs that did not end by themselves."""
    for one in ended:
        ending = one.ending
        meter.run_ended(ending.status, (ending.at - one.run.started_at).total_seconds())
        if traces is not None:
            traces.run_ended(one.run, ending.status, ending.at, ending.error or ending.reason)


def decoding(decode: Decode, traces: Traces | None) -> Decode:
    """Begin the span of each event that is decoded."""
    if traces is None:
        return decode

    def traced(message: Message) -> Event | Poison:
        found = decode(message)
        return traces.begun(found) if isinstance(found, Event) else found

    return traced


def receiving(receive: Receive, traces: Traces | None) -> Receive:
    """End the spans of events once they are stored, or could not be."""
    if traces is None:
        return receive

    async def traced(batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        error: str | None = "cut off"
        try:
            verdicts = await receive(batch)
            error = None
        except EngineError as failure:
            error = str(failure)
            raise
        finally:
            traces.handled(batch, error)
        return verdicts

    return traced


def answered(endpoint: str, code: str, meter: Meter) -> None:
    """Count a reply, under the name that the endpoint has in the documents."""
    meter.answered(endpoint.replace("-", "."), code)


def gauges(engine: "Engine") -> probes.Gauges:
    """Say where that comes from which is looked at when somebody asks."""
    return probes.Gauges(
        walks=lambda: engine.walkers.active,
        connections=functools.partial(_connections, engine.database),
        numbers=functools.partial(store.numbers, engine.database),
        lag=functools.partial(bus.lag, engine.connection),
    )


def _connections(database: store.Store) -> Mapping[str, int]:
    pool = database.pool
    return {"busy": pool.get_size() - pool.get_idle_size(), "idle": pool.get_idle_size()}
