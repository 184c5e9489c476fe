"""The one clock, and that of the stream of events."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

import msgspec

from lockstep.model.messages import Offset
from lockstep_schemas.status import BegunBecause

Past: TypeAlias = Sequence[tuple[datetime, Offset]]
"""By what goes what a stream has stored until some time, by its own clock; oldest first."""


class Clock(Protocol):
    """The one clock for all that is compared: that of the database."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError in the block when it takes longer than so many seconds."""
        ...


class StreamClock(Protocol):
    """The clock of the stream of events, compared with the one clock."""

    def time(self, stored_at_ns: int) -> datetime:
        """Say when the stream stored something, by the one clock."""
        ...

    @property
    def offset(self) -> Offset | None:
        """What was measured last; None before the first time."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why nothing may expire now that an event could still change; None: the offset holds."""
        ...


class KnownOffset(msgspec.Struct, frozen=True, kw_only=True):
    """What all replicas know of the clock of a stream."""

    stream: str
    leader: str
    offset: Offset
    measured_at: datetime  # by the database
    age_seconds: float  # when it was read
    begun_at: datetime
    begun_because: BegunBecause
    was_ahead: timedelta | None  # before that
    past: Past = ()
