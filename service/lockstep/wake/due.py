"""Due: waits whose time has come are fired, and runs whose time is over are ended."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.runs import Due, Firing
from lockstep.ports import Clock


class Waits(Protocol):
    """The waits in the store."""

    async def fire_due(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Firing]:
        """Fire those that are armed and due."""
        ...


class DueWaits:
    """Fires waits: a batch is one transaction."""

    def __init__(
        self,
        waits: Waits,
        clock: Clock,
        woken: Callable[[Sequence[Firing]], None],
        exceed: Callable[[Sequence[UUID]], Awaitable[None]],
        late: Callable[[float], None],
    ) -> None:
        """`late` is told by how many seconds each wake came after its time."""
        self._waits, self._clock, self._woken, self._exceed = waits, clock, woken, exceed
        self._late = late

    async def fire(self, due: Sequence[Due]) -> None:
        """Fire what a timer of this worker or the sweep has found. Raise Unavailable."""
        waits = [one.id for one in due if one.kind != "deadline"]
        deadlines = [one.id for one in due if one.kind == "deadline"]
        if waits:
            await self._fire(waits)
        if deadlines:
            await self._exceed(deadlines)

    async def ring(self, wait_ids: Sequence[UUID]) -> None:
        """Fire what alarms of the bus name, of whatever kind. Raise Unavailable."""
        await self._fire(wait_ids)
        await self._exceed(wait_ids)

    async def _fire(self, wait_ids: Sequence[UUID]) -> None:
        firings = await self._waits.fire_due(wait_ids, self._clock.now())
        now = self._clock.now()
        for one in firings:
            if one.due_at is not None:
                self._late((now - one.due_at).total_seconds())
        self._woken(firings)
