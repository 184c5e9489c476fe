"""The one clock: that of the database, read with every heartbeat."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """Goes by the monotonic clock of this machine from the last time that the database told."""

    def __init__(self) -> None:
        self._base, self._at = datetime.now(UTC), time.monotonic()

    def now(self) -> datetime:
        """See `ports.clock.Clock`."""
        return self._base + timedelta(seconds=time.monotonic() - self._at)

    def limit(self, seconds: float) -> asyncio.Timeout:
        """See `ports.clock.Clock`."""
        return asyncio.timeout(seconds)

    def synchronise(self, now: datetime, at: float) -> None:
        """Take over the time that the database told when the monotonic clock said `at`."""
        self._base, self._at = now, at
