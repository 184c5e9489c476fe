"""What wake needs of a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.events import Event
from lockstep.model.waits import (
    Awaited,
    Firing,
    Looking,
    Rank,
    RecentRow,
    Standing,
    StepResult,
    Taken,
)


class WakeTransaction(Protocol):
    """Armed waits, and what ends them."""

    async def awaited(
        self, events: Sequence[Event], after: Awaited | None = None
    ) -> Sequence[Awaited]:
        """The armed waits that events may satisfy, in order of the events; or those `after` one."""
        ...

    async def standing(self, events: Sequence[Event]) -> Standing:
        """The revision that events must be judged by, and the waits that they may satisfy."""
        ...

    async def open_results(self, results: Sequence[StepResult]) -> Sequence[Awaited]:
        """The armed waits for results of remote actions; `place` is that of the result."""
        ...

    async def fire(
        self, satisfied: Sequence[tuple[UUID, bytes | None]], now: datetime
    ) -> Sequence[Firing]:
        """Fire waits, each with the payload of its event; give those that were armed until now."""
        ...

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """Keep why the filters of waits could not be judged."""
        ...


class LookingSource(Protocol):
    """Waits that look back, and the events that they look at."""

    async def looking(self, ids: Sequence[UUID]) -> Sequence[Looking]:
        """Those of these waits that have not looked back yet."""
        ...

    async def recent(
        self, look: Looking, after: tuple[Rank, int]
    ) -> Sequence[tuple[RecentRow, Event]]:
        """The next events that a wait may look back on, behind a rank and a position."""
        ...


class LookBackTransaction(LookingSource, Protocol):
    """What looking back needs of a transaction, and who handles events for it."""

    async def lock_topics(self, topics: Sequence[bytes], *, alone: bool) -> None:
        """Share topics to handle their events, or have them alone to arm waits; before all else."""
        ...

    async def keep_recent(self, events: Sequence[Event], now: datetime) -> None:
        """Keep events that some wait may look back on; their topics are locked."""
        ...

    async def seen(
        self, looks: Sequence[tuple[Looking, Rank, Rank | None]]
    ) -> Mapping[UUID, Sequence[RecentRow]]:
        """What waits may look back on: behind a rank, up to another or their deadline."""
        ...

    async def arm_waits(self, looks: Sequence[tuple[UUID, Rank]]) -> None:
        """Arm waits that have looked back; their runs are locked."""
        ...

    async def look_again(self, looks: Mapping[UUID, Rank]) -> None:
        """Let armed waits look back once more, for what came first; their runs are locked."""
        ...

    async def keep_taken(self, taken: Sequence[Taken]) -> None:
        """Note which events have ended the waits of which actions; their runs are locked."""
        ...

    async def fail_waits(self, ids: Sequence[UUID], now: datetime) -> Sequence[Firing]:
        """Fire waits for which events were dropped that they had to look back on."""
        ...
