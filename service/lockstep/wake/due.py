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
    ) -> None:
        self._waits, self._clock, self._woken, self._exceed = waits, clock, woken, exceed

    async def fire(self, due: Sequence[Due]) -> None:
        """Fire what a timer of this worker or the sweep has found. Raise Unavailable."""
        waits = [one.id for one in due if one.kind != "deadline"]
        deadlines = [one.id for one in due if one.kind == "deadline"]
        if waits:
            self._woken(await self._waits.fire_due(waits, self._clock.now()))
        if deadlines:
            await self._exceed(deadlines)

    async def ring(self, wait_ids: Sequence[UUID]) -> None:
        """Fire what alarms of the bus name, of whatever kind. Raise Unavailable."""
        self._woken(await self._waits.fire_due(wait_ids, self._clock.now()))
        await self._exceed(wait_ids)
