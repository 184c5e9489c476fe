"""Which waits have to look back: those that were stored, and those for which an event has come."""

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from lockstep.model.runs import Checkpoint
from lockstep.ports.listeners import Listener

AT_ONCE: Final = 20  # waits: their scopes are in memory, and their runs are locked together
MOST: Final = 10_000  # ids that are noted; the sweep finds the others


class LookBackNews(Listener):
    """Hears of waits that were stored and have to look back."""

    def __init__(self) -> None:
        self._waits: dict[UUID, None] = {}
        self._heard = asyncio.Event()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """See `ports.listeners.Listener`."""
        self.note([w.id for one in done for w in one.waits if w.look_back is not None])

    def looking(self, waits: Sequence[UUID]) -> None:
        """See `ports.listeners.Listener`."""
        self.note(waits)

    def note(self, ids: Sequence[UUID]) -> None:
        """Have these looked at next, as far as there is room."""
        if ids and len(self._waits) < MOST:
            self._waits.update(dict.fromkeys(ids))
            self._heard.set()

    async def next(self) -> list[UUID]:
        """Wait until there are some; take the first ones."""
        while not self._waits:
            self._heard.clear()
            await self._heard.wait()
        taken = [*self._waits][:AT_ONCE]
        for one in taken:
            del self._waits[one]
        return taken
