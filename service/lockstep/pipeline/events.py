"""The way of an event: from bytes to runs, and what the bus shall do with it."""

from collections.abc import Awaitable, Callable, Sequence, Set
from functools import partial
from typing import Protocol

import structlog

from lockstep import matching, wake
from lockstep.model.errors import DataRefused, EngineError
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.verdicts import Accept, Verdict
from lockstep.model.waits import StepKey
from lockstep.pipeline.commit import commit
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.windows_and_holds import pass_windows_and_holds
from lockstep.ports.pipeline import Transaction
from lockstep.ports.telemetry import Traces

log = structlog.get_logger()


class EventTypes(Protocol):
    """What is known of the types of events."""

    @property
    def events_state(self) -> int:
        """Another number after each change of what events mean."""
        ...


class Outdated(Exception):
    """Events were decoded by types that have changed since: decode them again."""


class EventPipeline:
    """See `ports.pipeline.EventPipeline`."""

    def __init__(
        self,
        parts: PipelineParts,
        decode: Callable[[Message], Event | Poison],
        types: EventTypes,
        known_steps: Callable[[Sequence[StepKey]], Awaitable[Set[StepKey]]],
        traces: Traces | None,
    ) -> None:
        self._parts, self._decode, self._types = parts, decode, types
        self._known_steps, self._traces = known_steps, traces

    async def receive(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        """See `ports.pipeline.EventPipeline`."""
        if self._traces is None:
            return await self._received(batch)
        error: str | None = "cut off"
        try:
            verdicts = await self._received(batch)
            error = None
        except EngineError as failure:
            error = str(failure)
            raise
        finally:
            self._traces.handled(batch, error)
        return verdicts

    async def _received(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        while True:
            state = self._types.events_state
            decoded = [(message, self._decoded(message)) for message in batch]
            poison = [found for _, found in decoded if isinstance(found, Poison)]
            if poison:
                await self._parts.index.refresh()  # their types may be registered a moment ago
            if self._types.events_state != state:
                continue
            messages = {id(found): message for message, found in decoded}
            events = [found for _, found in decoded if isinstance(found, Event)]
            refused = list(await wake.unknown_steps(events, self._known_steps))
            unknown = {id(event) for event, _ in refused}
            try:
                storable = [event for event in events if id(event) not in unknown]
                refused += await self._store(storable, state)
            except Outdated:
                continue
            break
        poison += [Poison(messages[id(event)], reason) for event, reason in refused]
        poisoned = {id(found.message) for found in poison}
        accepted = [(message, Accept()) for message in batch if id(message) not in poisoned]
        return [*accepted, *((found.message, found) for found in poison)]

    def _decoded(self, message: Message) -> Event | Poison:
        found = self._decode(message)
        if self._traces is not None and isinstance(found, Event):
            return self._traces.begun(found)
        return found

    async def _store(self, events: Sequence[Event], state: int) -> list[tuple[Event, str]]:
        """Store a batch; split it where it holds an event that cannot be stored, and name it."""
        if not events:
            return []
        try:
            await commit(partial(self._taken, events, state), self._parts)
        except DataRefused as error:
            if len(events) == 1:
                return [(events[0], str(error))]
            log.warning("batch.refused", events=len(events), error=error)
            middle = len(events) // 2
            first = await self._store(events[:middle], state)
            return [*first, *await self._store(events[middle:], state)]
        return []

    async def _taken(self, events: Sequence[Event], state: int, tx: Transaction) -> Decided:
        """Take events that are new through waits, filters, windows and holds."""
        new = await tx.take_receipts(events)
        await self._parts.index.at_least(await tx.revision())
        if self._types.events_state != state:
            raise Outdated
        now = self._parts.clock.now()
        fresh = [event for event in events if event.delivery in new]
        # Judged before runs are launched: a wait of theirs is not satisfied by its own event.
        satisfied = await wake.correlate(fresh, self._parts.compile_filter, now, tx)
        satisfied += await wake.late_results(fresh, tx)
        candidates, refused = matching.candidates(fresh, self._parts.index, now)
        decided = await pass_windows_and_holds(candidates, now, tx)
        decided.satisfied = satisfied
        decided.judged = [*refused, *decided.judged]
        return decided
