"""The one clock."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The one clock for all that is compared: that of the database."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError in the block when it takes longer than so many seconds."""
        ...
