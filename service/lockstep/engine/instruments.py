"""Where the figures come from that are looked at when somebody asks."""

import functools
from collections.abc import Callable, Mapping

from lockstep import bus, store
from lockstep.engine.parts import Assembly
from lockstep.telemetry.metrics import Gauges


def gauges(assembly: Assembly, services: Callable[[], Mapping[str, bool]]) -> Gauges:
    """Say where the numbers of one replica are; `services` says which of them run."""
    return Gauges(
        walks=functools.partial(_walks, assembly),
        services=services,
        connections=functools.partial(_connections, assembly.edge.database),
        decisions_dropped=functools.partial(_dropped, assembly),
        automations=functools.partial(_automations, assembly),
        numbers=functools.partial(store.numbers, assembly.edge.database),
        stream_clock=assembly.basis.stream_clock,
        held_up=functools.partial(_held_up, assembly),
        lag=functools.partial(bus.lag, assembly.edge.connection),
    )


def _walks(assembly: Assembly) -> int:
    return assembly.hearing.places.active


def _dropped(assembly: Assembly) -> int:
    return assembly.hearing.decisions.dropped


def _automations(assembly: Assembly) -> Mapping[str, str]:
    found = sorted(assembly.knowledge.index.automations(), key=lambda one: one.position)
    return {one.id: one.name for one in found}


def _held_up(assembly: Assembly) -> tuple[int, float]:
    number, oldest = assembly.pipelines.expiry.figures
    now = assembly.basis.clock.now()
    return number, 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def _connections(database: store.Store) -> Mapping[str, int]:
    pool = database.pool
    return {"busy": pool.get_size() - pool.get_idle_size(), "idle": pool.get_idle_size()}
