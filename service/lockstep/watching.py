"""What is measured of one engine, put together: where its numbers come from."""

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lockstep import bus, probes, store
from lockstep.model.runs import Checkpoint, Ended
from lockstep.ports import Meter
from lockstep_schemas.run_events import ACTIVE

if TYPE_CHECKING:
    from lockstep.app import Engine


def committed(done: Checkpoint, meter: Meter) -> None:
    """Measure what a walk has done, once it is stored."""
    for step in done.steps:
        if step.finished_at is not None:
            meter.step_ended(step.kind, (step.finished_at - step.started_at).total_seconds())
    if done.status not in ACTIVE:
        meter.run_ended(done.status, (done.at - done.run.started_at).total_seconds())


def ended_outside(ended: Sequence[Ended], meter: Meter) -> None:
    """Measure runs that did not end by themselves."""
    for one in ended:
        seconds = (one.ending.at - one.run.started_at).total_seconds()
        meter.run_ended(one.ending.status, seconds)


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
