"""Runs that are this worker's and that it does not walk: given up, and claimed like any ready run.

Whoever loses the connection in a commit does not know whether runs are its own now. Nobody asks:
here the rows are compared with what is walked, again and again.
"""

import asyncio
from collections.abc import Mapping, Sequence, Set
from typing import Final, Protocol
from uuid import UUID

import structlog

from lockstep.model.errors import Unavailable
from lockstep.ports.places import Places, Reservation

LOOK_SECONDS: Final = 0.9  # two of them, and a claim, are over within two seconds

log = structlog.get_logger()


class OwnedRuns(Protocol):
    """The runs in the store that are this worker's."""

    async def owned(self) -> Mapping[UUID, int]:
        """Give the epochs of all of them."""
        ...

    async def let_go(self, runs: Sequence[tuple[UUID, int]]) -> int:
        """Give up those that are still at this epoch, which is raised; give how many."""
        ...


class WalkedRuns(Places, Protocol):
    """The places of this worker, and what has one."""

    @property
    def epochs(self) -> Mapping[UUID, int]:
        """The runs that are walked or about to be, each with the epoch it has here."""
        ...

    @property
    def reservations(self) -> Set[Reservation]:
        """What is held for transactions that are not over."""
        ...


class Unwalked:
    """Finds runs of this worker that it does not walk, and gives them up.

    It takes two looks at the same epoch, and whatever was being committed at the first one must be
    over: a walk that has just ended, or an answer that is on its way, is no reason. The other way
    round, what it walks and does not own any more is stopped: that it was ended, or taken, is told
    by a notice, which may be lost.
    """

    def __init__(self, runs: OwnedRuns, places: WalkedRuns) -> None:
        self._runs, self._places = runs, places
        # What looked so last time, with the transactions that may bring it yet.
        self._seen: dict[tuple[UUID, int], frozenset[Reservation]] = {}
        self._strange: frozenset[tuple[UUID, int]] = frozenset()  # walked, and not owned

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Give up and stop what was seen before, and is as it was. Raise Unavailable."""
        owned = await self._runs.owned()
        walked = frozenset(self._places.epochs.items())
        strange = frozenset(one for one in walked if owned.get(one[0]) != one[1])
        self._places.stop(run_id for run_id, _ in strange & self._strange)
        self._strange = strange
        await self._give_up(owned)

    async def _give_up(self, owned: Mapping[UUID, int]) -> None:
        walked, open_ = self._places.epochs, frozenset(self._places.reservations)
        before, self._seen = self._seen, {}
        lost = []
        for run_id, epoch in owned.items():
            if walked.get(run_id, -1) >= epoch:
                continue
            one = run_id, epoch
            self._seen[one] = before.get(one, open_)
            if one in before and not before[one] & open_:
                lost.append(one)
        given_up = await self._runs.let_go(lost) if lost else 0
        if given_up:
            log.warning("runs.unwalked", runs=given_up)
            self._places.expect_ready()
