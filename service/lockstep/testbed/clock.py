"""A clock that a case moves: it steps from due to due, with the engine idle in between."""

import asyncio
import heapq
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from structlog.contextvars import get_contextvars

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)  # as `cases.format.STARTS_AT`


class CaseClock:
    """Engine time. It stands still until it is moved."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self._now = self._reached = now
        self._due: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = count()
        self._asleep = Counter[str]()  # actions that sleep on this clock, by their run

    @property
    def time(self) -> datetime:
        """What time it is, without that any passes."""
        return self._now

    @property
    def reached(self) -> datetime:
        """To what time it was moved: what is due by then has been woken."""
        return self._reached

    @property
    def sleeping(self) -> int:
        """How many actions sleep on this clock: they count as idle."""
        return self._asleep.total()

    @property
    def runs_asleep(self) -> int:
        """How many runs have such an action."""
        return len(self._asleep)

    @property
    def next_due(self) -> datetime | None:
        """When something that sleeps or waits on this clock goes on."""
        while self._due and self._due[0][2].done():
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def set(self, now: datetime) -> None:
        """Begin anew at a time; what slept is no longer wanted."""
        self.drop()
        self._now = self._reached = now

    def now(self) -> datetime:
        """See `ports.clock.Clock`. A little passes at each look, so that an order can be told."""
        self._now += timedelta(microseconds=1)
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when so many engine seconds have passed."""
        due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._now + timedelta(seconds=seconds), next(self._order), due)
        heapq.heappush(self._due, entry)
        run_id = str(get_contextvars().get("run_id", ""))
        self._asleep[run_id] += 1
        try:
            await due
        finally:
            self._asleep[run_id] -= 1
            self._asleep += Counter()  # without those that are at zero

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError in the block when so many engine seconds have passed."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        entry = (self._now + timedelta(seconds=seconds), next(self._order), over)
        heapq.heappush(self._due, entry)
        async with asyncio.timeout(None) as scope:
            over.add_done_callback(
                lambda done: None if done.cancelled() else scope.reschedule(loop.time())
            )
            try:
                yield
            finally:
                over.cancel()

    async def advance(self, seconds: float, idle: Callable[[], Awaitable[None]]) -> None:
        """Let engine seconds pass: wake what is due in its order, and wait for `idle` each time."""
        target = self._now + timedelta(seconds=seconds)
        await idle()  # what is about to sleep does so first: else its time would be passed over
        while (next_due := self.next_due) is not None and next_due <= target:
            at, _, due = heapq.heappop(self._due)
            self._now, self._reached = max(self._now, at), at
            due.set_result(None)
            await idle()
        self._now, self._reached = max(self._now, target), target
        await idle()

    def skip(self, seconds: float) -> None:
        """Let engine seconds pass while nobody is there."""
        self._now += timedelta(seconds=seconds)
        self._reached = self._now

    def drop(self) -> None:
        """End all sleeps: what slept is no longer wanted."""
        while self._due:
            due = heapq.heappop(self._due)[2]
            if not due.done():
                due.cancel()
