"""Whoever publishes committed events."""

from collections.abc import Sequence
from typing import Protocol

from lockstep.model.outbox import EventRow


class Report(Protocol):
    """Publishes committed events."""

    def offer(self, rows: Sequence[EventRow]) -> None:
        """Take events that this worker has committed; those of a topic in order of their seq."""
        ...

    async def take_over(self, topics: Sequence[str]) -> None:
        """Publish all that is stored of topics, whoever has committed it."""
        ...
