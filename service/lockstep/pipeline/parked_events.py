"""A way to runs: events that were parked, for those who could not be asked when they came."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.parked import Row, StoredParkedEvent, addressee, why
from lockstep.pipeline.events import EventPipeline
from lockstep.pipeline.parts import PipelineParts
from lockstep.ports.bus import LettersForOne

log = structlog.get_logger()


class ParkedEventRows(Protocol):
    """The parked events in the store."""

    async def untried_events(self, limit: int) -> Sequence[UUID]:
        """Those that this worker has not tried, the longest parked first.

        Not those for automations that are disabled: they are for whoever is first when it is not.
        """
        ...

    async def event(self, event_id: UUID) -> StoredParkedEvent | None:
        """One with its message; None if it is gone. Raise whatever it is that cannot be read."""
        ...

    async def event_to_bury(self, event_id: UUID) -> StoredParkedEvent | None:
        """One for a dead letter, without what of it cannot be read; None if it is gone."""
        ...

    async def keep_events(self, events: Sequence[Row]) -> None:
        """Leave events to others: this worker cannot judge them either."""
        ...

    async def old_events(self, hours: float, limit: int) -> Sequence[UUID]:
        """Those that have been parked for longer."""
        ...

    async def forget_events(self, limit: int) -> int:
        """Forget so many of those that are for waits which are over; say how many there were."""
        ...

    async def drop_event(self, event_id: UUID) -> None:
        """Take one away that has become a dead letter."""
        ...


class ParkedEvents:
    """Judges parked events where this replica can, through the way of all events."""

    def __init__(
        self,
        rows: ParkedEventRows,
        events: EventPipeline,
        decode: Callable[[Message], Event | Poison],
        parts: PipelineParts,
        letters: LettersForOne,
        hours: float,
    ) -> None:
        self._rows, self._events, self._decode = rows, events, decode
        self._parts, self._letters, self._hours = parts, letters, hours

    async def judge(self, limit: int) -> None:
        """Judge those that this worker has not tried, each for itself. Raise Unavailable."""
        untried = await self._rows.untried_events(limit)
        if untried:
            await self._parts.index.refresh()  # it may not show yet who was enabled
        for parked_id in untried:
            try:
                reason = await self._judged(parked_id)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is kept with it
                reason = why(error)
            if reason is not None:
                await self._rows.keep_events([(parked_id, reason)])

    async def bury(self, limit: int) -> None:
        """Let those become dead letters that have been parked for too long. Raise Unavailable.

        Not those for waits that are over: they are forgotten.
        """
        forgotten = limit
        while forgotten == limit:
            forgotten = await self._rows.forget_events(limit)
            if forgotten:
                log.info("event.outlived", number=forgotten)
        for parked_id in await self._rows.old_events(self._hours, limit):
            parked = await self._rows.event_to_bury(parked_id)
            if parked is None:
                continue
            reason = f"parked for more than {self._hours:g} hours: {parked.reason}"
            subject = parked.message.subject
            try:
                await self._letters.send(parked.message, reason, addressee(parked))
            except Unavailable:
                raise
            except EngineError as error:
                # The stream of dead letters is gone, or refuses: an operator must look.
                log.warning("event.unburied", subject=subject, reason=reason, error=error)
                continue
            await self._rows.drop_event(parked_id)
            log.warning("event.dead_lettered", subject=subject, reason=reason)

    async def _judged(self, parked_id: UUID) -> str | None:
        """Judge one, unless nobody asks for it now; say why not where that cannot be done here."""
        index = self._parts.index
        parked = await self._rows.event(parked_id)
        if parked is None:
            return None
        found = self._decode(parked.message)
        if isinstance(found, Poison):
            return found.reason
        if parked.wait_id is None and index.automation(parked.automation_id) is None:
            return index.unreadable().get(parked.automation_id)  # else it was disabled just now
        event = msgspec.structs.replace(found, only=addressee(parked))
        await self._events.take_parked(parked_id, event)
        return None
