"""What launch needs of a transaction."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from lockstep.model.matches import Revival
from lockstep.model.new_runs import NewRun


class LaunchTransaction(Protocol):
    """Where run rows go."""

    async def create_runs(self, new_runs: Sequence[NewRun]) -> None:
        """Insert run rows."""
        ...

    async def copy_steps(self, run_id: UUID, revival: Revival) -> None:
        """Give a run the steps of the one that it goes on from."""
        ...
