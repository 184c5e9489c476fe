"""What follows a commit: whoever wants to know of it is a listener.

`engine.assembly` has the one list of them; they are told in its order.
"""

from collections.abc import Sequence
from uuid import UUID

from lockstep.model.decisions import Decision
from lockstep.model.new_runs import NewRun
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Checkpoint, Ended
from lockstep.model.timers import Hold
from lockstep.model.waits import Due, Firing


class Listener:
    """Hears of what is committed: whoever inherits from it hears what it overrides.

    What it hears is done: a listener returns at once, and what it needs time for, it notes for a
    service. One that raises is logged and counted; the others still hear.
    """

    def launched(self, runs: Sequence[NewRun]) -> None:
        """Run rows were inserted; some of them are refusals."""

    def fired(self, firings: Sequence[Firing]) -> None:
        """Waits were fired: by an event, by their time, or by the end of another run."""

    def armed(self, holds: Sequence[Hold], disarmed: Sequence[UUID], ticks: Sequence[Due]) -> None:
        """Triggers hold, hold no more, or have a next tick of their schedule."""

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Walks were saved; with a final status, the run has ended by itself."""

    def ended(self, ended: Sequence[Ended]) -> None:
        """Runs were ended from outside."""

    def looking(self, waits: Sequence[UUID]) -> None:
        """Waits look back again: an event has come for them."""

    def judged(self, decisions: Sequence[Decision]) -> None:
        """Events went no further, or woke runs."""

    def reported(self, rows: Sequence[EventRow]) -> None:
        """Events for ops were stored, in order of their seq, that no checkpoint has."""
