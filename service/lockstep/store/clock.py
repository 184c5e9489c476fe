"""The one clock: that of the database, read with every heartbeat."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

# What the database tells is off by up to half a round trip: a few ms, more on a busy machine.
# Steps back of that size are waited out, so that what follows something is never dated before it.
HELD: Final = timedelta(seconds=1)


class DatabaseClock:
    """Goes by the monotonic clock of this machine from the last time that the database told.

    It goes back only where the clock of the database was set back.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._base, self._at = datetime.now(UTC), monotonic()
        self._last = self._base

    def now(self) -> datetime:
        """See `ports.clock.Clock`."""
        told = self._base + timedelta(0, self._monotonic() - self._at)
        if told >= self._last or self._last - told >= HELD:
            self._last = told
        return self._last

    def limit(self, seconds: float) -> asyncio.Timeout:
        """See `ports.clock.Clock`."""
        return asyncio.timeout(seconds)

    def synchronise(self, now: datetime, at: float) -> None:
        """Take over the time that the database told when the monotonic clock said `at`."""
        self._base, self._at = now, at
