"""Runs without an event of the stream: started, or tried again, by a person or a program."""

from collections.abc import Callable
from uuid import UUID

from lockstep import gate
from lockstep.matching import Index
from lockstep.model.automations import Automation, AutomationElsewhere
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun, RunToRetry
from lockstep.pipeline.judging import Made, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.pipeline import Transaction


class ByHand:
    """See `ports.pipeline.ByHand`."""

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts

    async def start(
        self, automation_id: str, make: Callable[[Automation | None], TriggerMatch]
    ) -> list[NewRun]:
        """See `ports.pipeline.ByHand`."""
        index = self._parts.index
        start = _StartByHand(lambda: make(_automation(index, automation_id)), index)
        return await commit_judged(start, self._parts)

    async def retry(
        self, run_id: UUID, make: Callable[[RunToRetry | None, Automation | None], TriggerMatch]
    ) -> list[NewRun]:
        """See `ports.pipeline.ByHand`."""
        index = self._parts.index
        # It has ended, so it stays as it is; where it is forgotten meanwhile, copying its steps
        # finds that.
        past = await self._parts.transactions.run_to_retry(run_id)
        start = _StartByHand(
            lambda: make(past, _automation(index, past.automation_id) if past else None), index
        )
        return await commit_judged(start, self._parts)


class _StartByHand(Made):
    """A `pipeline.judging.Judging`."""

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """See `pipeline.judging.Judging`."""
        match = await self.match(tx, is_last=is_last)
        await tx.lock_keys([gate.queue_key_of(match)])
        return Decided([match])


def _automation(index: Index, automation_id: str) -> Automation | None:
    """Give an automation that is enabled.

    Raises:
        AutomationElsewhere: It is, and this replica cannot compile it.
    """
    found = index.automation(automation_id)
    if found is None and (reason := index.unreadable().get(automation_id)) is not None:
        raise AutomationElsewhere(reason)
    return found
