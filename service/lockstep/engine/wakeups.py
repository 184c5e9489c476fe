"""What wakes the runs of one replica: rows, timers, alarms of the bus, notices of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from lockstep import bus, store, wake, walk
from lockstep.model.errors import ServerUnfit
from lockstep.pipeline import TriggerTimersDue
from lockstep.ports.clock import Clock

LOOKED_AT: Final = 2000  # queues, or waits, in a sweep: some ten milliseconds

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """The alarms of one bucket of the bus."""

    what: str  # `delay` or `wait`
    puller: bus.Puller
    loop: wake.BusAlarms


class Ringer:
    """Wakes what an alarm of the bus names: a wait, or a timer of a trigger."""

    def __init__(self, due_waits: wake.DueWaits, due_timers: TriggerTimersDue) -> None:
        self._due_waits, self._due_timers = due_waits, due_timers

    async def ring(self, ids: Sequence[UUID]) -> None:
        """Fire what is due of these ids, which are of both. Raise Unavailable."""
        await self._due_waits.ring(ids)
        await self._due_timers.ring(ids)


class Wakeups:
    """Fires what is due, and looks for what nobody has told."""

    def __init__(
        self,
        *,
        connection: bus.Connection,
        clock: Clock,
        places: walk.Places,
        rows: store.WaitStore,
        timers: Sequence[wake.Timers],
        mirror: wake.KvMirror,
        expiry: wake.Expiry,
        waits: wake.TimerService,
        triggers: wake.TimerService,
        alarms: Sequence[Alarm],
    ) -> None:
        self._connection, self._clock, self._places = connection, clock, places
        self._rows, self._timers, self._mirror = rows, timers, mirror
        self.expiry = expiry
        self.waits, self.triggers, self.alarms = waits, triggers, alarms

    def is_behind(self, now: datetime) -> bool:
        """Say whether something is due at this replica that has not been fired."""
        return self.expiry.is_behind(now) or any(one.is_behind(now) for one in self._timers)

    def look(self) -> None:
        """Look at once for what is due: another replica is gone."""
        for timers in self._timers:
            timers.look()

    def forget(self) -> None:
        """See `wake.timers.Timers`."""
        self.expiry.forget()
        for timers in self._timers:
            timers.forget()

    async def sweep(self) -> None:
        """Find all that nobody has told. Raise Unavailable."""
        await self.waits.sweep()
        await self.triggers.sweep()
        await self.hear_missed()
        await self.promote()
        gone = await self._rows.forget_left(LOOKED_AT)
        if gone:
            log.warning("waits.left", waits=gone)

    async def hear_missed(self) -> None:
        """Look for waits of our runs that were fired without a notice that reached us."""
        if active := self._places.active:
            self._places.wake(await self._rows.unheard(active))

    async def promote(self) -> None:
        """Let queues go on that a change of mode has left behind."""
        if await self._rows.promote(LOOKED_AT):
            self._places.expect_ready()

    async def reconcile(self) -> None:
        """Make again what is gone of the buckets and their groups, and compare with the rows."""
        try:
            await bus.prepare(self._connection)
        except ServerUnfit as error:
            log.warning("mirror.delayed", error=error)
            return
        await self._mirror.reconcile(self._clock.now())
