"""Places for walks: who starts, wakes or stops runs asks them, and knows nothing of the walks."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from lockstep.model.runs import RunState


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Places that are held for runs which a transaction may bring; given back by `offer`."""

    places: int


class Places(Protocol):
    """The places of this worker: free, reserved, or taken by a run that is walked."""

    wanted: asyncio.Event
    """Set when a place is free and runs may be ready for it."""

    @property
    def free(self) -> int:
        """Places that are neither taken nor reserved; none once the worker gives up."""
        ...

    @property
    def active(self) -> int:
        """How many runs have a place."""
        ...

    @property
    def asked(self) -> int:
        """How often ready runs were announced; to be given back to `none_ready`."""
        ...

    def reserve(self, wanted: int) -> Reservation:
        """Hold up to `wanted` free places."""
        ...

    def offer(self, runs: Sequence[RunState], reserved: Reservation) -> None:
        """Walk these, on places that were reserved; give back the places that are left.

        A run that is walked with an equal or higher epoch is passed over: the offer came late.
        """
        ...

    def expect_ready(self) -> None:
        """Say that there are ready runs without an owner: they are claimed when a place is free."""
        ...

    def none_ready(self, asked: int) -> None:
        """Say that a claim found fewer ready runs than it had places.

        What was announced since `asked` was read, that claim may not have seen.
        """
        ...

    def wake(self, run_ids: Iterable[UUID]) -> None:
        """Say that something has fired of runs; those that are not walked here are passed over."""
        ...

    def stop(self, run_ids: Iterable[UUID]) -> None:
        """Stop the walks of runs that were ended from outside; what executes is cancelled."""
        ...
