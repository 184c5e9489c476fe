"""A way to runs: events that were parked, for those who could not be asked when they came."""

from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import is_away
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.parked import Row, StoredParkedEvent, addressee, why
from lockstep.pipeline.events import EventPipeline, Undecoded
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
                await self._try(parked_id)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("event.unjudged", parked_id=str(parked_id))

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
            try:
                await self._bury(parked_id)
            except Exception as error:
                if is_away(error):
                    raise
                # Such as a stream of dead letters that is gone, or refuses: an operator must look.
                log.exception("event.unburied", parked_id=str(parked_id))

    async def _bury(self, parked_id: UUID) -> None:
        """Have one become a dead letter, if it is still there."""
        parked = await self._rows.event_to_bury(parked_id)
        if parked is None:
            return
        reason = f"parked for more than {self._hours:g} hours: {parked.reason}"
        await self._letters.send(parked.message, reason, addressee(parked))
        await self._rows.drop_event(parked_id)
        log.warning("event.dead_lettered", subject=parked.message.subject, reason=reason)

    async def _try(self, parked_id: UUID) -> None:
        """Judge one; note why not where that cannot be done here."""
        while True:
            try:
                reason = await self._judged(parked_id)
            except Undecoded:  # a type was registered meanwhile: what the event means has changed
                continue
            except Exception as error:
                if is_away(error):
                    raise
                reason = why(error)
            break
        if reason is not None:
            await self._rows.keep_events([(parked_id, reason)])

    async def _judged(self, parked_id: UUID) -> str | None:
        """Judge one, unless nobody asks for it now; say why not where that cannot be done here.

        Raises:
            Undecoded: The types have changed since it was decoded.
        """
        index = self._parts.index
        parked = await self._rows.event(parked_id)
        if parked is None:
            return None
        found = self._decode(parked.message)
        if isinstance(found, Poison):
            await index.refresh()  # its type may be registered a moment ago
            found = self._decode(parked.message)
        if isinstance(found, Poison):
            return found.reason
        if parked.wait_id is None and index.automation(parked.automation_id) is None:
            return index.unreadable().get(parked.automation_id)  # else it was disabled just now
        # Its time was fixed when it was first handled.
        event = msgspec.structs.replace(
            found, only=addressee(parked), time=parked.time or found.time
        )
        await self._events.take_parked(parked_id, event)
        return None
