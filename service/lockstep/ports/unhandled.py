"""What the stream of events holds that is not handled yet, and may still change something."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an event that is not handled yet may still change something."""

    id: UUID  # of the wait, or of the timer
    event_id: str
    context_key: str | None = None
    until: datetime  # by the one clock: events up to then are in time
    below: int | None = None  # of the stream's numbers: what is older counts, whatever its time
    step: str | None = None  # of a result: `<run id>:<path>`, which its payload has; no key counts


class HeldUp(msgspec.Struct, frozen=True, kw_only=True):
    """Why something may not expire yet."""

    reason: str  # such as: 3 events of `alert.acked` from before it are not handled yet
    events: int = 0
    sequence: int | None = None  # of the oldest of them


class Unhandled(Protocol):
    """Looks for events in the stream that nobody has handled."""

    async def held_up(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """Say which may still be changed, and by what; the stream is known for all others.

        Raises:
            Unavailable: The stream cannot be asked, or its clock is in doubt: nothing is known.
        """
        ...

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """As `held_up`, with how many events there are, for people: that takes longer."""
        ...


class Expiring(Protocol):
    """Lets something expire only when no event can change it any more."""

    async def cleared(
        self, questions: Sequence[Question], again: Callable[[Sequence[UUID]], Awaitable[None]]
    ) -> set[UUID]:
        """Give those that may expire now; `again` is called for the others when they may.

        A stream that cannot be asked holds up all of them: that is told, not raised.
        """
        ...
