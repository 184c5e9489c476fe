"""Alarms: what is due wakes at its moment, and whatever else wakes it changes nothing.

Three tell that a wait is due: the timers here for what is near, the schedules of the bus for what
its worker did not wake, and a sweep of the rows as the last resort. All of them meet in the one
statement that fires a wait at most once. Timers of triggers wake in the same way.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.runs import Due
from lockstep.ports import Clock

NEAR: Final = timedelta(seconds=30)  # what is due later has no timer yet
LOOK: Final = timedelta(seconds=10)  # between two looks at what comes near
OVERDUE: Final = timedelta(seconds=5)  # what is later than that is let through at a bounded rate
MOST: Final = 50_000
BATCH: Final = 250
RETRY_SECONDS: Final = 1.0
NEVER: Final = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


class Rows(Protocol):
    """What is due, in the store: waits, or the timers of triggers."""

    async def near(self, since: datetime, until: datetime, limit: int) -> Sequence[Due]:
        """Find this worker's share of what is due in a time, earliest first."""
        ...

    async def next_due(self, after: datetime) -> datetime | None:
        """Give when the next one is due after a time."""
        ...

    async def overdue(self, until: datetime, limit: int) -> Sequence[Due]:
        """Find those that were due before a time, earliest first."""
        ...


class Alarms:
    """Fires what is due, at its time; `fire` does so at most once, and only what is due."""

    def __init__(
        self,
        rows: Rows,
        clock: Clock,
        fire: Callable[[Sequence[Due]], Awaitable[None]],
        late_per_second: float,
    ) -> None:
        self._rows, self._clock, self._fire_rows = rows, clock, fire
        self._late_per_second = late_per_second
        self._near: list[tuple[datetime, UUID, Due]] = []
        self._known: set[UUID] = set()
        self._changed = asyncio.Event()
        self._target = NEVER  # when the timer goes off
        self._look_at = datetime.min.replace(tzinfo=UTC)
        self._firing = 0
        self._swept = False  # until the first sweep is done, nobody knows what is due

    def is_behind(self, now: datetime) -> bool:
        """Whether something is due that has not been fired."""
        is_due = bool(self._near) and self._near[0][0] <= now
        return is_due or self._firing > 0 or self._look_at <= now or not self._swept

    def forget(self) -> None:
        """Forget all timers: the rows are gone, for the next test case."""
        self._near.clear()
        self._known.clear()
        self._look_at = NEVER
        self._changed.set()

    def look(self) -> None:
        """Look at once for what comes near: a worker is gone, and its share is ours now."""
        self._look_at = self._clock.now()
        self._changed.set()

    def arm(self, waits: Iterable[Due]) -> None:
        """Take waits that this worker has stored: near ones get a timer."""
        horizon = self._clock.now() + NEAR
        for wait in waits:
            if wait.due_at <= horizon:
                self._add(wait)
            else:
                self._look_at = min(self._look_at, wait.due_at - NEAR)
        if self._next() < self._target:
            self._changed.set()

    async def run(self) -> None:
        """Fire what is near, at its time, until cancelled."""
        while True:
            try:
                if self._look_at <= self._clock.now():
                    await self._look()
                await self._fire_near()
            except Unavailable as error:
                log.warning("store.unavailable", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            await self._rest()

    async def sweep(self) -> None:
        """Fire what should have been fired by now: nobody was there, or the bus was not.

        After an outage this is much; it is let through in batches, at a bounded rate.
        """
        while True:
            late = await self._rows.overdue(self._clock.now() - OVERDUE, BATCH)
            if late:
                log.info("waits.overdue", waits=len(late))
                await self._fire(late)
            if len(late) < BATCH:
                self._swept = True
                return
            await asyncio.sleep(len(late) / self._late_per_second)

    def _add(self, wait: Due) -> None:
        if wait.id not in self._known and len(self._near) < MOST:
            self._known.add(wait.id)
            heapq.heappush(self._near, (wait.due_at, wait.id, wait))

    def _next(self) -> datetime:
        return min(self._near[0][0], self._look_at) if self._near else self._look_at

    async def _look(self) -> None:
        """Load what comes near, and learn when to look again."""
        now = self._clock.now()
        found = await self._rows.near(now - OVERDUE, now + NEAR, MOST)
        for wait in found:
            self._add(wait)
        following = await self._rows.next_due(now + NEAR)
        self._look_at = NEVER if following is None else max(following - NEAR, now + LOOK)

    async def _fire_near(self) -> None:
        while self._near and self._near[0][0] <= (now := self._clock.now()):
            due: list[Due] = []
            while self._near and self._near[0][0] <= now and len(due) < BATCH:
                due.append(heapq.heappop(self._near)[2])
            self._known.difference_update(one.id for one in due)
            # What is very late could not be fired when it was due: it goes with the sweep.
            on_time = [one for one in due if now - one.due_at < OVERDUE]
            try:
                await self._fire(on_time)
            except Unavailable:
                for one in on_time:
                    self._add(one)
                raise

    async def _fire(self, due: Sequence[Due]) -> None:
        self._firing += 1
        try:
            if due:
                await self._fire_rows(due)
        finally:
            self._firing -= 1

    async def _rest(self) -> None:
        """Return when the next one is due, or one is armed that is due earlier, or to look."""
        self._target = self._next()
        self._changed.clear()
        tick = asyncio.timeout(LOOK.total_seconds())
        try:
            async with tick:
                if self._target == NEVER:
                    await self._changed.wait()
                else:
                    seconds = (self._target - self._clock.now()).total_seconds()
                    async with self._clock.limit(max(0.0, seconds)):
                        await self._changed.wait()
        except TimeoutError:
            if tick.expired():
                self._look_at = min(self._look_at, self._clock.now())  # others have armed some
        finally:
            self._target = NEVER
