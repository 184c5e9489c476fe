"""Endings: runs that do not end by themselves: cancelled, or longer than they may be."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.matches import REPLACED
from lockstep.model.run_events import run_event
from lockstep.model.runs import Due, Ended, Ending, EventRow
from lockstep.ports import Clock, Transaction


class Waits(Protocol):
    """The waits and runs in the store."""

    async def end(
        self, run_ids: Sequence[UUID], ending: Ending, tell: Callable[[Ended], EventRow]
    ) -> Sequence[Ended]:
        """End active runs in one transaction, with the events that `tell` makes of them."""
        ...

    async def exceeded(self, wait_ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
        """Find the runs whose deadline is among these and is over, with what to say."""
        ...


class Endings:
    """Ends runs from outside: one transaction, then their owners are told."""

    def __init__(
        self,
        waits: Waits,
        clock: Clock,
        prefix: str,
        take_over: Callable[[Sequence[str]], Awaitable[None]],
        stop: Callable[[Sequence[Ended]], None],
        hide: Callable[[Sequence[UUID], Sequence[UUID]], None],
        arm: Callable[[Sequence[Due]], None],
    ) -> None:
        self._waits, self._clock, self._prefix = waits, clock, prefix
        self._take_over, self._stop, self._hide, self._arm = take_over, stop, hide, arm

    async def cancel(self, run_ids: Sequence[UUID], reason: str | None) -> Sequence[Ended]:
        """Cancel runs; those that have ended already are left as they are. Raise Unavailable."""
        return await self._end(run_ids, self.cancelling(reason))

    def cancelling(self, reason: str | None) -> Ending:
        """Say how runs end that are cancelled now."""
        return Ending(status="cancelled", reason=reason, at=self._clock.now())

    async def exceed(self, wait_ids: Sequence[UUID]) -> None:
        """Fail the runs whose deadline is over. Raise Unavailable."""
        now = self._clock.now()
        texts = await self._waits.exceeded(wait_ids, now)
        for text in sorted(set(texts.values())):
            run_ids = [run_id for run_id, said in texts.items() if said == text]
            await self._end(run_ids, Ending(status="failed", error=text, at=now))

    async def replace(self, run_ids: Sequence[UUID], tx: Transaction) -> Sequence[Ended]:
        """Cancel, in a transaction, runs that newer ones replace; to be announced after it."""
        ending = self.cancelling(REPLACED)
        ended = await tx.end_runs(run_ids, ending)
        await tx.add_events([self.event(one, ending) for one in ended])
        return ended

    def event(self, ended: Ended, ending: Ending) -> EventRow:
        """Build the last event of a run that was ended."""
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
        """Stop what executes them, and publish what their owners may not have sent."""
        self._stop(ended)
        if ended:
            await self._take_over([str(one.run.id) for one in ended])

    def forget(self, timers: Sequence[UUID]) -> None:
        """Take timers that were disarmed off the bus."""
        self._hide(timers, ())

    def tick(self, due: Sequence[Due]) -> None:
        """Let schedules that were armed have their timers."""
        self._arm(due)

    async def _end(self, run_ids: Sequence[UUID], ending: Ending) -> Sequence[Ended]:
        ended = await self._waits.end(run_ids, ending, lambda one: self.event(one, ending))
        await self.announce(ended)
        return ended
