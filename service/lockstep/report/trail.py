"""The trail: why events started nothing, and what they woke; for `lockstep why`.

Written behind the events, in batches; what comes faster than it can be written is left out.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from lockstep.model.errors import DataRefused, Unavailable
from lockstep.model.matches import Judgement
from lockstep.ports import Clock

MOST: Final = 10_000
BATCH: Final = 500
RETRY_SECONDS: Final = 1.0
DETAIL: Final = 500  # characters

log = structlog.get_logger()


class Judgements(Protocol):
    """Where they are kept."""

    async def add_judgements(self, judged: Sequence[Judgement], at: datetime) -> None:
        """Keep some. Raise Unavailable, DataRefused."""
        ...


class Trail:
    """Takes judgements and writes them behind."""

    def __init__(self, judgements: Judgements, clock: Clock, *, is_kept: bool) -> None:
        self._judgements, self._clock, self._is_kept = judgements, clock, is_kept
        self._waiting: deque[Judgement] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.dropped = 0

    def note(self, judged: Sequence[Judgement]) -> None:
        """Take judgements; of too many the newest are left out."""
        if not self._is_kept or not judged:
            return
        room = MOST - len(self._waiting)
        self.dropped += max(0, len(judged) - room)
        self._waiting.extend(judged[:room])
        self._idle.clear()
        self._arrived.set()

    async def settled(self) -> None:
        """Return when all that was noted is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            while not self._waiting:
                self._idle.set()
                self._arrived.clear()
                await self._arrived.wait()
            some = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._judgements.add_judgements(some, self._clock.now())
            except DataRefused as error:
                log.info("trail.refused", error=str(error))
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)
