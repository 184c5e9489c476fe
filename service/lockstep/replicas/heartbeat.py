"""The heartbeat: a worker that does not renew its row is taken for dead; it sees the others too."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from lockstep.model.errors import Unavailable
from lockstep.ports.workers import Look
from lockstep.replicas.roster import Roster

AGAIN_SECONDS: Final = 0.2  # after a miss: others count the seconds

log = structlog.get_logger()


class Heartbeat:
    """Renews the worker's row, keeps the clock with that of the database, and the roster."""

    def __init__(
        self,
        beat: Callable[[], Awaitable[Look]],
        synchronise: Callable[[datetime, float, float], None],
        roster: Roster,
        every_seconds: float,
        stale_seconds: float,
    ) -> None:
        self._beat, self._synchronise, self._roster = beat, synchronise, roster
        self._every_seconds, self._stale_seconds = every_seconds, stale_seconds
        self._missed_at: float | None = None
        self._last_at = self._tried_at = time.monotonic()

    @property
    def is_fresh(self) -> bool:
        """Whether the last beat is younger than what makes a worker stale."""
        return time.monotonic() - self._last_at <= self._stale_seconds

    @property
    def seconds_since_answer(self) -> float:
        """How long ago the last beat was that the store has answered."""
        return time.monotonic() - self._last_at

    @property
    def seconds_since_try(self) -> float:
        """How long ago the last beat ended, well or not."""
        return time.monotonic() - self._tried_at

    @property
    def is_steady(self) -> bool:
        """Whether no beat was missed for as long as makes a worker stale."""
        now = time.monotonic()
        if now - self._last_at > self._stale_seconds:
            return False
        return self._missed_at is None or now - self._missed_at > self._stale_seconds

    async def begin(self) -> None:
        """Beat twice: the first one opens a connection, and tells the time the worse for it."""
        await self.once()
        await self.once()

    async def once(self) -> None:
        """Renew the row, and see who else has. Raise Unavailable."""
        before = time.monotonic()
        try:
            look = await self._beat()
        except Unavailable:
            self._roster.lose_sight()
            raise
        after = time.monotonic()
        if after - self._last_at > self._stale_seconds:
            self._missed_at = after  # asleep, or cut off, for too long: others may have taken over
            self._roster.lose_sight()
        self._last_at = after
        self._roster.look(look.others, before, after)
        self._synchronise(look.now, (before + after) / 2, (after - before) / 2)

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            pause = self._every_seconds
            try:
                await self.once()
            except Unavailable as error:
                self._missed_at, pause = time.monotonic(), min(pause, AGAIN_SECONDS)
                log.warning("heartbeat.missed", error=error)
            self._tried_at = time.monotonic()
            await asyncio.sleep(pause)
