"""A clock that a case moves: it steps from due to due, with the engine idle in between."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class CaseClock:
    """Engine time. It stands still until it is moved."""

    def __init__(self, passed_seconds: float = 0.0) -> None:
        self._now = BEGIN + timedelta(seconds=passed_seconds)
        self._due: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = count()
        self.sleeping = 0  # actions that sleep on this clock: they count as idle

    @property
    def time(self) -> datetime:
        """What time it is, without that any passes."""
        return self._now

    @property
    def passed_seconds(self) -> float:
        """How many engine seconds have passed since the clock was made."""
        return (self._now - BEGIN).total_seconds()

    def now(self) -> datetime:
        """See `ports.clock.Clock`. A little passes at each look, so that an order can be told."""
        self._now += timedelta(microseconds=1)
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return when so many engine seconds have passed."""
        due: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._now + timedelta(seconds=seconds), next(self._order), due)
        heapq.heappush(self._due, entry)
        self.sleeping += 1
        try:
            await due
        finally:
            self.sleeping -= 1

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
        while True:
            while self._due and self._due[0][2].done():
                heapq.heappop(self._due)
            if not self._due or self._due[0][0] > target:
                break
            at, _, due = heapq.heappop(self._due)
            self._now = max(self._now, at)
            due.set_result(None)
            await idle()
        self._now = max(self._now, target)
        await idle()

    def skip(self, seconds: float) -> None:
        """Let engine seconds pass while nobody is there."""
        self._now += timedelta(seconds=seconds)

    def drop(self) -> None:
        """End all sleeps: what slept is no longer wanted."""
        while self._due:
            due = heapq.heappop(self._due)[2]
            if not due.done():
                due.cancel()
