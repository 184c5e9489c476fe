"""The pace of judging: others have their turn in between."""

import asyncio
from typing import Final

BREATH_NS: Final = 1_000_000
"""Processor time after which others have their turn: that of some hundred plain filters."""


class JudgingPace:
    """See `ports.pace.Pace`."""

    def __init__(self) -> None:
        self._used_ns = 0  # since others had their turn

    async def took(self, automation_id: str, event_id: str, nanoseconds: int) -> None:
        """See `ports.pace.Pace`."""
        self._used_ns += nanoseconds
        if self._used_ns >= BREATH_NS:
            self._used_ns = 0
            await asyncio.sleep(0)
