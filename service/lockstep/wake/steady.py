"""Since when all is well that lets an event be handled: only such time counts against one."""

import time
from collections.abc import Callable
from typing import Final

LATE_SECONDS: Final = 1.0  # a look that comes later was asleep, or had no processor


class Steady:
    """Knows since when the stream and the store have answered, and this process has not slept.

    How long one and the same message may hold something up is counted in such time: nobody could
    have handled it before.
    """

    def __init__(
        self, store_since: Callable[[], float], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`store_since` says since when the store has answered, by the monotonic clock."""
        self._store_since, self._monotonic = store_since, monotonic
        self._since = monotonic()

    def seconds(self, since: float) -> float:
        """Say how long what began then has lasted, as far as it counts; below 0: not at all."""
        return self._monotonic() - max(since, self._since, self._store_since())

    def failed(self) -> None:
        """Note that something does not answer."""
        self._since = self._monotonic()

    def looked(self, due_at: float) -> None:
        """Note that a look which was due comes only now."""
        if self._monotonic() - due_at > LATE_SECONDS:
            self.failed()
