"""The decisions: why events started nothing, and what they woke; for `lockstep why`.

Written behind the events, in batches; what comes faster than it can be written is left out.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

import msgspec
import structlog

from lockstep.model.decisions import Decision
from lockstep.model.errors import Unavailable
from lockstep.ports.apart import apart
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener

MOST: Final = 10_000  # some MiB, if the store falls behind; what is more is counted and left out
BATCH: Final = 500  # of one statement, which ends soon
RETRY_SECONDS: Final = 1.0  # a store that is away is not asked more often by each replica

log = structlog.get_logger()


class DecisionRows(Protocol):
    """Where they are kept."""

    async def add_decisions(self, judged: Sequence[Decision], at: datetime) -> None:
        """Keep some. Raise Unavailable, DataRefused."""
        ...


class DecisionLog(Listener):
    """Takes decisions and writes them behind."""

    def __init__(self, rows: DecisionRows, clock: Clock, *, is_kept: bool) -> None:
        self._rows, self._clock, self._is_kept = rows, clock, is_kept
        self._waiting: deque[Decision] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.dropped = 0
        """How many were left out since the start: too many waited, or the store refused them."""

    def judged(self, decisions: Sequence[Decision]) -> None:
        """Take decisions; of too many the newest are left out."""
        if not self._is_kept or not decisions:
            return
        room = MOST - len(self._waiting)
        self.dropped += max(0, len(decisions) - room)
        self._waiting.extend(_light(one) for one in decisions[:room])
        self._idle.clear()
        self._arrived.set()

    def has_room(self) -> bool:
        """Say whether a decision of now would be written: else nobody needs to explain it."""
        return self._is_kept and len(self._waiting) < MOST

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
            some = [*islice(self._waiting, BATCH)]
            try:
                await apart(some, self._write, self._refused)
            except Unavailable as error:
                log.warning("service.delayed", error=error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for _ in some:
                self._waiting.popleft()

    async def _write(self, some: Sequence[Decision]) -> None:
        await self._rows.add_decisions(some, self._clock.now())

    def _refused(self, _decision: Decision, error: Exception) -> None:
        self.dropped += 1
        log.info("trail.refused", error=error)


def _light(decision: Decision) -> Decision:
    """Keep what is written of a decision: not the payloads of ten thousand events."""
    event = msgspec.structs.replace(decision.event, payload={}, body=b"", message=None)
    return msgspec.structs.replace(decision, event=event, match=None)
