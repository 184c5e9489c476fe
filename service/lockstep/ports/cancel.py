"""What it takes to end runs from outside."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from lockstep.model.outbox import EventRow
from lockstep.model.runs import Ended, Ending


class CancelTransaction(Protocol):
    """Active runs that are to end, and the events that say so."""

    async def lock_runs(self, run_ids: Sequence[UUID], wait_ids: Sequence[UUID]) -> None:
        """Lock runs, and the runs of waits, in their one order."""
        ...

    async def end_runs(self, run_ids: Sequence[UUID], ending: Ending) -> Sequence[Ended]:
        """End active runs; those that have ended are not given."""
        ...

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """Put events into the outbox."""
        ...


class Terminator(Protocol):
    """Ends runs from outside."""

    async def cancel(self, run_ids: Sequence[UUID], reason: str | None) -> Sequence[Ended]:
        """Cancel runs; those that have ended already are left as they are. Raise Unavailable."""
        ...

    async def fail(self, run_ids: Sequence[UUID], error: str) -> Sequence[Ended]:
        """Fail runs, as their deadline would. Raise Unavailable."""
        ...

    def cancelling(self, reason: str | None) -> Ending:
        """Say how runs end that are cancelled now."""
        ...

    async def exceed(self, wait_ids: Sequence[UUID]) -> None:
        """Fail the runs whose deadline is among these waits and is over. Raise Unavailable."""
        ...

    async def replace(self, run_ids: Sequence[UUID], tx: CancelTransaction) -> Sequence[Ended]:
        """Cancel, in a transaction, runs that newer ones replace; to be announced after it."""
        ...

    def event(self, ended: Ended, ending: Ending) -> EventRow:
        """Build the last event of a run that was ended."""
        ...

    async def announce(self, ended: Sequence[Ended]) -> None:
        """Stop what executes them, and publish what their owners may not have sent.

        Raises:
            Unavailable: They have ended, and their events leave later.
        """
        ...
