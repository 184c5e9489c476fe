"""What wake needs of a transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.events import Event
from lockstep.model.waits import Awaited, Firing, Standing, StepResult


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
