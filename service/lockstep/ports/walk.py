"""What walks need of the engine."""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from lockstep.model.runs import Checkpoint, Consumed, RunState
from lockstep.model.waits import Woken
from lockstep_schemas.base import Json


class Checkpoints(Protocol):
    """Stores what walks have done, many at a time."""

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """Return when `checkpoint` is committed; a passing fault only makes it take longer.

        Returns:
            How often the run has been woken, where it was to end, rest or sleep. If that is more
            often than the walk knew, the run does not sleep and stays with its owner.

        Raises:
            OwnerLost: Another worker or an operator took the run; nothing was written.
            DataRefused: The store cannot hold a value of it.
        """
        ...


class History(Protocol):
    """What a walk reads of what is stored, and where it puts what it cannot read."""

    async def park(self, run: RunState, reason: str) -> None:
        """Put a run aside that this replica cannot walk: another one may. Raise Unavailable."""
        ...

    async def consumable(
        self, automation_id: str, context_key: str | None, types: Sequence[str]
    ) -> Consumed:
        """The newest open artifact of each type, by qualified type id."""
        ...

    async def items(self, run_id: UUID, seqs: Sequence[int]) -> Mapping[int, list[Json]]:
        """The lists of the for_each loops of a run, by the seq of their step."""
        ...

    async def fired(self, run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
        """What has fired of runs and is not taken up yet."""
        ...
