"""Timers: what is due wakes at its moment, and whatever else wakes it changes nothing.

Three tell that a wait is due: the timers here for what is near, the schedules of the bus for what
its worker did not wake, and a sweep of the rows as the last resort. All of them meet in the one
statement that fires a wait at most once. Holds and schedules of triggers wake in the same way.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.runs import Checkpoint
from lockstep.model.timers import Hold
from lockstep.model.waits import Due
from lockstep.ports.apart import apart
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener

NEAR: Final = timedelta(seconds=30)  # what is due later has no timer yet
LOOK: Final = timedelta(seconds=10)  # between two looks at what comes near
OVERDUE: Final = timedelta(seconds=5)  # what is later than that is let through at a bounded rate
MOST: Final = 50_000  # some 20 MB; what does not fit is found by the next look, or by the sweep
BATCH: Final = 250  # a transaction of so many takes some 20 ms: it holds nobody up
RETRY_SECONDS: Final = 1.0  # a store that was away is not asked more often by each replica
NEVER: Final = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


class DueRows(Protocol):
    """What is due, in the store: waits, or the timers of triggers."""

    async def near(self, since: datetime, until: datetime, limit: int) -> Sequence[Due]:
        """Find this worker's share of what is due in a time, earliest first."""
        ...

    async def next_due(self, after: datetime) -> datetime | None:
        """Give when the next one is due after a time."""
        ...

    async def overdue(self, until: datetime, limit: int, after: Due | None) -> Sequence[Due]:
        """Find those that were due before a time, earliest first, behind one of them."""
        ...


class Timers:
    """What is due soon at this worker, earliest first, and when to look for more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
        is_unset = self._next() < self._target  # the timer is about to be set anew
        return is_due or is_unset or self._firing > 0 or self._look_at <= now or not self._swept

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
                self.add(wait)
            else:
                self._look_at = min(self._look_at, wait.due_at - NEAR)
        if self._next() < self._target:
            self._changed.set()

    def add(self, wait: Due) -> None:
        """Give a timer to what is near."""
        if wait.id not in self._known and len(self._near) < MOST:
            self._known.add(wait.id)
            heapq.heappush(self._near, (wait.due_at, wait.id, wait))

    def take_due(self) -> Sequence[Due]:
        """Take what is due, at most a batch; without what is so late that it goes with the sweep.

        The timers count as behind until `fired`.
        """
        now, due = self._clock.now(), list[Due]()
        while self._near and self._near[0][0] <= now and len(due) < BATCH:
            due.append(heapq.heappop(self._near)[2])
        self._known.difference_update(one.id for one in due)
        return [one for one in due if now - one.due_at < OVERDUE]

    @property
    def has_due(self) -> bool:
        """Whether a timer has gone off."""
        return bool(self._near) and self._near[0][0] <= self._clock.now()

    @property
    def is_to_look(self) -> bool:
        """Whether it is time to look for what comes near."""
        return self._look_at <= self._clock.now()

    def looked(self, at: datetime, following: datetime | None) -> None:
        """Note when the next one is due of what is not near."""
        self._look_at = NEVER if following is None else max(following - NEAR, at + LOOK)

    def begin_firing(self) -> None:
        """Note that some are being fired."""
        self._firing += 1

    def end_firing(self) -> None:
        """Note that they are fired, or were not."""
        self._firing -= 1

    def swept(self) -> None:
        """Note that all that was overdue has been fired."""
        self._swept = True

    async def rest(self) -> None:
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

    def _next(self) -> datetime:
        return min(self._near[0][0], self._look_at) if self._near else self._look_at


class WaitTimers(Timers, Listener):
    """Timers of what runs wait for, as walks arm it."""

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """See `ports.listeners.Listener`."""
        for checkpoint in done:
            if checkpoint.waits:
                self.arm(
                    Due(wait.id, wait.kind, wait.due_at)
                    for wait in checkpoint.waits
                    if wait.due_at is not None
                )


class TriggerTimers(Timers, Listener):
    """Timers of holds, and of schedules."""

    def armed(self, holds: Sequence[Hold], disarmed: Sequence[UUID], ticks: Sequence[Due]) -> None:
        """See `ports.listeners.Listener`."""
        del disarmed  # their timers go off, and find nothing
        self.arm(Due(hold.id, "hold", hold.due_at) for hold in holds)
        self.arm(ticks)


class TimerService:
    """Fires what is due, at its time; `fire` does so at most once, and only what is due."""

    def __init__(
        self,
        timers: Timers,
        rows: DueRows,
        clock: Clock,
        fire: Callable[[Sequence[Due]], Awaitable[None]],
        late_per_second: float,
        held: Container[UUID] = (),
    ) -> None:
        """`held` has what is due and may not be fired yet; it is fired by whoever holds it up."""
        self._held = held
        self._timers, self._rows, self._clock, self._fire_rows = timers, rows, clock, fire
        self._late_per_second = late_per_second

    async def run(self) -> None:
        """Fire what is near, at its time, until cancelled."""
        while True:
            try:
                if self._timers.is_to_look:
                    await self._look()
                while self._timers.has_due:
                    await self._fire_near()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
                await asyncio.sleep(RETRY_SECONDS)
            await self._timers.rest()

    async def sweep(self) -> None:
        """Fire what should have been fired by now: nobody was there, or the bus was not.

        After an outage this is much; it is let through in batches, at a bounded rate.
        """
        last: Due | None = None  # each is tried once: what cannot be fired hides nothing
        while True:
            page = await self._rows.overdue(self._clock.now() - OVERDUE, BATCH, last)
            late = [one for one in page if one.id not in self._held]  # these take no time of others
            if late:
                log.info("waits.overdue", waits=len(late))
                await self.fire(late)
            if len(page) < BATCH:
                self._timers.swept()
                return
            last = page[-1]
            await asyncio.sleep(len(late) / self._late_per_second)

    async def _look(self) -> None:
        """Load what comes near, and learn when to look again."""
        now = self._clock.now()
        for wait in await self._rows.near(now - OVERDUE, now + NEAR, MOST):
            self._timers.add(wait)
        self._timers.looked(now, await self._rows.next_due(now + NEAR))

    async def _fire_near(self) -> None:
        due = self._timers.take_due()
        try:
            await self.fire(due)
        except BaseException:  # also where it is cut off: they are still due
            for one in due:
                self._timers.add(one)
            raise

    async def fire(self, due: Sequence[Due]) -> None:
        """Fire what somebody has found to be due. Raise Unavailable."""
        self._timers.begin_firing()
        try:
            await apart(due, self._fire_rows, _refused)
        finally:
            self._timers.end_firing()


def _refused(one: Due, error: Exception) -> None:
    """Tell of one that cannot be fired; the sweep tries it again."""
    log.error("due.refused", id=str(one.id), kind=one.kind, exc_info=error)
