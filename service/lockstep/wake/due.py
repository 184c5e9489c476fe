"""Due: waits whose time has come are fired, and runs whose time is over are ended."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol, assert_never, get_args
from uuid import UUID

from lockstep.model.parked import Row
from lockstep.model.waits import Due, Firing, TimerKind
from lockstep.ports.apart import set_apart
from lockstep.ports.cancel import Terminator
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep.ports.telemetry import Meter
from lockstep.ports.unhandled import Expiring, Question
from lockstep_schemas.run_events import WaitKind

KINDS: Final = frozenset((*get_args(WaitKind), *get_args(TimerKind)))
BY_TIME: Final[Sequence[WaitKind]] = ("delay", "retry", "child")
BY_EVENT: Final[Sequence[WaitKind]] = ("event", "remote")
"""Kinds that an event ends: they expire when none can any more."""


class ArmedWaits(Protocol):
    """The armed waits in the store."""

    async def fire_due(
        self, wait_ids: Sequence[UUID], now: datetime, kinds: Sequence[WaitKind]
    ) -> Sequence[Firing]:
        """Fire those that are armed and due, and of these kinds."""
        ...

    async def expiring(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """Say what might still end those of these that are armed and due, and wait for events."""
        ...

    async def park_waits(self, waits: Sequence[Row]) -> None:
        """Put waits aside that cannot be fired, each with the reason."""
        ...


class DueWaits:
    """Fires waits: a batch is one transaction."""

    def __init__(
        self,
        waits: ArmedWaits,
        clock: Clock,
        listener: Listener,
        terminator: Terminator,
        meter: Meter,
        expiring: Expiring,
    ) -> None:
        self._waits, self._clock, self._listener = waits, clock, listener
        self._terminator, self._meter, self._expiring = terminator, meter, expiring

    async def fire(self, due: Sequence[Due]) -> None:
        """Fire what a timer of this worker or the sweep has found. Raise Unavailable."""
        waits, awaited, deadlines = list[UUID](), list[UUID](), list[UUID]()
        unknown = [row for row in due if row.kind not in KINDS]  # of a newer version
        if unknown:
            await self._waits.park_waits([(row.id, _unknown(row)) for row in unknown])
        for row in due:
            if row in unknown:
                continue
            match row.kind:
                case "delay" | "retry" | "child":
                    waits.append(row.id)
                case "event" | "remote":
                    awaited.append(row.id)
                case "deadline":
                    deadlines.append(row.id)
                case "hold" | "schedule":
                    pass  # timers of triggers start runs; they have alarms of their own
                case _:
                    assert_never(row.kind)
        await set_apart(waits, self._fire, self._waits.park_waits)
        await set_apart(deadlines, self._terminator.exceed, self._waits.park_waits)
        await set_apart(awaited, self._expire, self._waits.park_waits)

    async def ring(self, wait_ids: Sequence[UUID]) -> None:
        """Fire what alarms of the bus name, of whatever kind. Raise Unavailable."""
        await set_apart(wait_ids, self._fire, self._waits.park_waits)
        await set_apart(wait_ids, self._terminator.exceed, self._waits.park_waits)
        await set_apart(wait_ids, self._expire, self._waits.park_waits)

    async def _expire(self, wait_ids: Sequence[UUID]) -> None:
        """Fire those that no event can end any more; the others when none can."""
        questions = await self._waits.expiring(wait_ids, self._clock.now())
        await self._fire(sorted(await self._expiring.cleared(questions, self._go)), BY_EVENT)

    async def _go(self, wait_ids: Sequence[UUID]) -> None:
        fire = functools.partial(self._fire, kinds=BY_EVENT)
        await set_apart(wait_ids, fire, self._waits.park_waits)

    async def _fire(self, wait_ids: Sequence[UUID], kinds: Sequence[WaitKind] = BY_TIME) -> None:
        if not wait_ids:
            return
        firings = await self._waits.fire_due(wait_ids, self._clock.now(), kinds)
        now = self._clock.now()
        for one in firings:
            if one.due_at is not None:
                self._meter.woke((now - one.due_at).total_seconds())
        self._listener.fired(firings)


def _unknown(row: Due) -> str:
    return f"a wait of kind '{row.kind}', which this version does not know"
