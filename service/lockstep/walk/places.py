"""Places for walks: counted here, filled by whoever has runs, emptied by the pool that walks them.

They are made before everything that starts, wakes or stops runs, so that nothing need be told of
the pool later. What is offered before the pool runs waits for it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence, Set
from uuid import UUID

from lockstep.model.new_runs import NewRun
from lockstep.model.runs import Checkpoint, Ended, RunState
from lockstep.ports.listeners import Listener
from lockstep.ports.places import Reservation
from lockstep_schemas.run_events import ACTIVE


class Places(Listener):
    """See `ports.places.Places`; bounded by the number of places."""

    def __init__(self, limit: int) -> None:
        self._limit = self._free = limit
        self._reservations: set[Reservation] = set()
        self._epochs: dict[UUID, int] = {}  # of the runs that have a place
        self._is_closed = False
        self._asked = self._answered = 0
        self._offered: list[RunState] = []  # each has a place
        self._stopped: set[UUID] = set()
        self._woken: set[UUID] = set()
        self._empty = asyncio.Event()
        self.wanted = asyncio.Event()
        self.news = asyncio.Event()  # for the pool: runs were offered or stopped
        self.heard = asyncio.Event()  # for the pool: something has fired of runs

    @property
    def free(self) -> int:
        """See `ports.places.Places`."""
        return 0 if self._is_closed else self._free

    @property
    def active(self) -> int:
        """See `ports.places.Places`."""
        return self._limit - self._free - sum(one.places for one in self._reservations)

    @property
    def asked(self) -> int:
        """See `ports.places.Places`."""
        return self._asked

    @property
    def is_behind(self) -> bool:
        """Whether runs may be ready that no place was free for, or are being taken up."""
        return self._asked > self._answered or bool(self._reservations)

    @property
    def reservations(self) -> Set[Reservation]:
        """See `replicas.unwalked.WalkedRuns`."""
        return self._reservations

    @property
    def epochs(self) -> Mapping[UUID, int]:
        """See `replicas.unwalked.WalkedRuns`."""
        return self._epochs

    def reserve(self, wanted: int) -> Reservation:
        """See `ports.places.Places`."""
        reserved = Reservation(min(wanted, self.free))
        self._free -= reserved.places
        if reserved.places:
            self._reservations.add(reserved)
        return reserved

    def offer(self, runs: Sequence[RunState], reserved: Reservation) -> None:
        """See `ports.places.Places`."""
        self._reservations.discard(reserved)
        fresh = [run for run in runs if not self._has(run)]
        self._epochs.update((run.id, run.epoch) for run in fresh)
        self._free += reserved.places - len(fresh)
        self._want()
        if fresh:
            self._offered += fresh
            self.news.set()

    def _has(self, run: RunState) -> bool:
        known = self._epochs.get(run.id)
        return known is not None and known >= run.epoch

    def expect_ready(self) -> None:
        """See `ports.places.Places`."""
        self._asked += 1
        self._want()

    def none_ready(self, asked: int) -> None:
        """See `ports.places.Places`."""
        self._answered = max(self._answered, asked)
        if self._asked == self._answered:
            self.wanted.clear()

    def wake(self, run_ids: Iterable[UUID]) -> None:
        """See `ports.places.Places`."""
        self._woken.update(run_ids)
        if self._woken:
            self.heard.set()

    def stop(self, run_ids: Iterable[UUID]) -> None:
        """See `ports.places.Places`."""
        self._stopped.update(run_ids)
        if self._stopped:
            self.news.set()

    def launched(self, runs: Sequence[NewRun]) -> None:
        """Let runs be claimed that were launched without a place."""
        if any(run.status == "pending" and not run.queued for run in runs):
            self.expect_ready()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Let the next in line be claimed, where a run of a queue has ended."""
        if any(one.status not in ACTIVE and one.run.queue_key is not None for one in done):
            self.expect_ready()

    def ended(self, ended: Sequence[Ended]) -> None:
        """Let the next in line be claimed, where a run was ended that stood in a queue."""
        if any(one.run.queue_key is not None for one in ended):
            self.expect_ready()

    def take_offered(self) -> Sequence[RunState]:
        """Give the runs that were offered; their places are taken."""
        runs, self._offered = self._offered, []
        return runs

    def take_stopped(self) -> set[UUID]:
        """Give the runs whose walks are to be stopped."""
        stopped, self._stopped = self._stopped, set()
        return stopped

    def take_woken(self, walked: set[UUID], taken_up: set[UUID]) -> list[UUID]:
        """Give those of the woken runs that are walked; keep those that are being taken up."""
        found = [run_id for run_id in self._woken if run_id in walked]
        self._woken &= taken_up | {run.id for run in self._offered}
        return found

    def is_woken(self, run_id: UUID) -> bool:
        """Whether something has fired of a run that was taken up meanwhile."""
        return run_id in self._woken

    def release(self, run: RunState) -> None:
        """Give the place of a run back: its walk has ended."""
        self._free += 1
        if self._epochs.get(run.id) == run.epoch:
            del self._epochs[run.id]
        if not self.active:
            self._empty.set()
        self._want()

    async def emptied(self) -> None:
        """Return when no run has a place."""
        while self.active:
            self._empty.clear()
            await self._empty.wait()

    def close(self) -> None:
        """Give no more places: the worker gives up."""
        self._is_closed = True

    def _want(self) -> None:
        if self._asked > self._answered and self.free:
            self.wanted.set()
