"""Runs without an event of the stream: started, or tried again, by a person or a program."""

from collections.abc import Callable
from uuid import UUID

from lockstep import gate
from lockstep.model.automations import Automation
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun, RunToRetry
from lockstep.pipeline.commit import commit
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

        async def decide(tx: Transaction) -> Decided:
            await index.at_least(await tx.revision())
            match = make(index.automation(automation_id))
            await tx.lock_keys([gate.queue_key_of(match)])
            return Decided([match])

        return await commit(decide, self._parts)

    async def retry(
        self, run_id: UUID, make: Callable[[RunToRetry | None, Automation | None], TriggerMatch]
    ) -> list[NewRun]:
        """See `ports.pipeline.ByHand`."""
        index = self._parts.index

        async def decide(tx: Transaction) -> Decided:
            past = await tx.run_to_retry(run_id)
            await index.at_least(await tx.revision())
            match = make(past, index.automation(past.automation_id) if past else None)
            await tx.lock_keys([gate.queue_key_of(match)])
            return Decided([match])

        return await commit(decide, self._parts)
