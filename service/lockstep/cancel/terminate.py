"""Terminate: runs that do not end by themselves: cancelled, or longer than they may be."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.admissions import REPLACED
from lockstep.model.outbox import EventRow
from lockstep.model.run_events import run_event
from lockstep.model.runs import Ended, Ending
from lockstep.ports.cancel import CancelTransaction
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep.ports.report import Report


class ActiveRuns(Protocol):
    """The active runs in the store."""

    async def end(
        self, run_ids: Sequence[UUID], ending: Ending, tell: Callable[[Ended], EventRow]
    ) -> Sequence[Ended]:
        """End active runs in one transaction, with the events that `tell` makes of them."""
        ...

    async def exceeded(self, wait_ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
        """Find the runs whose deadline is among these and is over, with what to say."""
        ...


class Terminator:
    """See `ports.cancel.Terminator`: one transaction, then the owners are told."""

    def __init__(
        self, runs: ActiveRuns, clock: Clock, prefix: str, report: Report, listener: Listener
    ) -> None:
        self._runs, self._clock, self._prefix = runs, clock, prefix
        self._report, self._listener = report, listener

    async def cancel(self, run_ids: Sequence[UUID], reason: str | None) -> Sequence[Ended]:
        """See `ports.cancel.Terminator`."""
        return await self._end(run_ids, self.cancelling(reason))

    async def fail(self, run_ids: Sequence[UUID], error: str) -> Sequence[Ended]:
        """See `ports.cancel.Terminator`."""
        return await self._end(run_ids, Ending(status="failed", error=error, at=self._clock.now()))

    def cancelling(self, reason: str | None) -> Ending:
        """See `ports.cancel.Terminator`."""
        return Ending(status="cancelled", reason=reason, at=self._clock.now())

    async def exceed(self, wait_ids: Sequence[UUID]) -> None:
        """See `ports.cancel.Terminator`."""
        now = self._clock.now()
        texts = await self._runs.exceeded(wait_ids, now)
        for text in sorted(set(texts.values())):
            run_ids = [run_id for run_id, said in texts.items() if said == text]
            await self._end(run_ids, Ending(status="failed", error=text, at=now))

    async def replace(self, run_ids: Sequence[UUID], tx: CancelTransaction) -> Sequence[Ended]:
        """See `ports.cancel.Terminator`."""
        ending = self.cancelling(REPLACED)
        ended = await tx.end_runs(run_ids, ending)
        await tx.add_events([self.event(one, ending) for one in ended])
        return ended

    def event(self, ended: Ended, ending: Ending) -> EventRow:
        """See `ports.cancel.Terminator`."""
        run = ended.run
        return run_event(
            self._prefix,
            run,
            run.event_seq + 1,
            ending.status,
            ending.status,
            ending.at,
            reason=ending.reason,
            error=ending.error,
        )

    async def announce(self, ended: Sequence[Ended]) -> None:
        """See `ports.cancel.Terminator`."""
        if ended:
            self._listener.ended(ended)
            await self._report.take_over([str(one.run.id) for one in ended])

    async def _end(self, run_ids: Sequence[UUID], ending: Ending) -> Sequence[Ended]:
        ended = await self._runs.end(run_ids, ending, lambda one: self.event(one, ending))
        await self.announce(ended)
        return ended
