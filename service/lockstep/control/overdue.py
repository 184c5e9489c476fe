"""Waits that are past their deadline and have not expired, or that look back for long: why."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec

from lockstep.model.errors import Unavailable
from lockstep.ports.clock import Clock
from lockstep.ports.unhandled import HeldUp, Question
from lockstep_schemas.api import Wait

PATIENCE_SECONDS: Final = 1.0  # of somebody who wants to see the run, whatever can be said of this
MOST: Final = 100  # of a run at once: the others say so when these are over


class OverdueRows(Protocol):
    """The waits in the store."""

    async def expiring(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """See `wake.due.ArmedWaits`."""
        ...

    async def looking_for(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """Say what those of these ask for that look back and are not done."""
        ...


class Counting(Protocol):
    """Who asks what holds something up."""

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        ...


class OverdueWaits:
    """Says of waits what holds them up. The stream is asked only where something may be."""

    def __init__(self, rows: OverdueRows, events: Counting, clock: Clock) -> None:
        self._rows, self._events, self._clock = rows, events, clock

    async def explained(self, waits: Sequence[Wait]) -> list[Wait]:
        """Give them with the reason, where there is one. Raise Unavailable for the store alone."""
        now = self._clock.now()
        late = [UUID(one.id) for one in waits if one.due_at is not None and one.due_at <= now]
        questions = await self._rows.expiring(late[:MOST], now) if late else []
        reasons = await self._reasons(questions, "past its deadline", "end it")
        armed = [UUID(one.id) for one in waits if one.kind == "event" and one.state == "armed"]
        looking = await self._rows.looking_for(armed[:MOST], now) if armed else []
        reasons |= await self._reasons(looking, "it looks back", "come before what it has found")
        return [msgspec.structs.replace(one, held_up=reasons.get(one.id)) for one in waits]

    async def _reasons(self, questions: Sequence[Question], what: str, may: str) -> dict[str, str]:
        if not questions:
            return {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await self._events.counted(questions)
        except TimeoutError:
            why = f"there is no answer within {PATIENCE_SECONDS:g} s"
        except Unavailable as error:
            why = str(error)
        else:
            held = {str(name): one for name, one in found.items() if one.events or one.sequence}
            return {name: f"{what}, {one.reason}" for name, one in held.items()}
        text = f"{what}; whether an event may still {may} cannot be told: {why}"
        return {str(one.id): text for one in questions}
