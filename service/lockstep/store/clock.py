"""The one clock: that of the database, read with every heartbeat; what is known of others."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from lockstep.model.messages import Offset
from lockstep.ports.clock import KnownOffset, Past
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.status import BegunBecause

# What the database tells is off by up to half a round trip: a few ms, more on a busy machine.
# Steps back of that size are waited out, so that what follows something is never dated before it.
HELD: Final = timedelta(seconds=1)
UNTOLD_SECONDS: Final = 86_400.0  # off by so much, for all we know, before it has told anything
DRIFT: Final = (
    200e-6  # of what has passed: more than a good clock's, less than what is worth a step
)


class DatabaseClock:
    """Goes by the monotonic clock of this machine from the last time that the database told.

    It goes back only where the clock of the database was set back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base, self._at = datetime.now(UTC), monotonic()
        self._last = self._base
        self._error_seconds = UNTOLD_SECONDS

    def now(self) -> datetime:
        """See `ports.clock.Clock`."""
        told = self._base + timedelta(0, self._monotonic() - self._at)
        if told >= self._last or self._last - told >= HELD:
            self._last = told
        return self._last

    def limit(self, seconds: float) -> asyncio.Timeout:
        """See `ports.clock.Clock`."""
        return asyncio.timeout(seconds)

    @property
    def error(self) -> timedelta:
        """By how much it is off at most."""
        return timedelta(seconds=self._off(self._monotonic()))

    def synchronise(self, now: datetime, at: float, error_seconds: float) -> None:
        """Take over the time that the database told when the monotonic clock said `at`.

        Where it says the same as what is known, as far as both can tell, the better one stays.
        """
        off = self._off(at)
        told = self._base + timedelta(seconds=at - self._at)
        is_same = abs((now - told).total_seconds()) <= error_seconds + off
        if error_seconds < off or not is_same:
            self._base, self._at, self._error_seconds = now, at, error_seconds

    def _off(self, at: float) -> float:
        return self._error_seconds + DRIFT * max(0.0, at - self._at)


class StreamClockStore:
    """See `replicas.stream_clock.ClockRows`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, stream: str) -> KnownOffset | None:
        """See `replicas.stream_clock.ClockRows`."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("clock/read", stream=stream))
        if row is None:
            return None
        columns = row["past_until"], row["past_ahead"], row["past_error"]
        past = [(until, Offset(ahead, error)) for until, ahead, error in zip(*columns, strict=True)]
        return KnownOffset(
            stream=row["stream"],
            leader=row["leader"],
            offset=Offset(row["ahead"], row["error"]),
            measured_at=row["measured_at"],
            age_seconds=row["age_seconds"],
            begun_at=row["begun_at"],
            begun_because=row["begun_because"],
            was_ahead=row["was_ahead"],
            past=past,
        )

    async def renew(
        self,
        stream: str,
        leader: str,
        offset: Offset,
        because: BegunBecause | None,
        past: Past,
        seen: datetime | None,
    ) -> bool:
        """See `replicas.stream_clock.ClockRows`."""
        async with self._store.connection() as connection:
            kept = await connection.fetchval(
                *query(
                    "clock/renew",
                    stream=stream,
                    leader=leader,
                    ahead=offset.ahead,
                    error=offset.error,
                    because=because,
                    past_until=[until for until, _ in past],
                    past_ahead=[offset.ahead for _, offset in past],
                    past_error=[offset.error for _, offset in past],
                    seen=seen,
                )
            )
        return kept is not None
