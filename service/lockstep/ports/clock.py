"""The one clock, and that of the stream of events."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from lockstep.model.messages import Offset
from lockstep_schemas.status import BegunBecause


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
    since: datetime | None = None  # by the stream: what it stored before that goes by `before`
    before: Offset | None = None
