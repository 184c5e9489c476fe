"""Health: whether the process lives, and what it lacks to take events."""

from collections.abc import Callable, Mapping
from typing import Final

LONGEST_BEAT_SECONDS: Final = 60.0
"""More than a heartbeat takes that waits for a connection and for its answer, and gets neither."""


class Health:
    """What the probes are told; each part says for itself how it is.

    A part is named as missing until it has said how it is.
    """

    def __init__(self) -> None:
        self._parts: dict[str, Callable[[], bool]] = dict.fromkeys(
            ("nats", "postgres", "migrations", "intake"), _no
        )
        self._seconds_since_beat: Callable[[], float] = float
        self.stopping: Callable[[], bool] = _no

    def tell(self, **parts: Callable[[], bool]) -> None:
        """Say of parts how it is found out whether they are there."""
        self._parts |= parts

    def beats(self, seconds_since: Callable[[], float]) -> None:
        """Say how long ago the last heartbeat ended, well or not."""
        self._seconds_since_beat = seconds_since

    @property
    def missing(self) -> list[str]:
        """What the replica lacks to take events; empty when it is ready."""
        lacking = [name for name, is_there in self._parts.items() if not is_there()]
        return [*lacking, "stopping"] if self.stopping() else lacking

    @property
    def fault(self) -> str | None:
        """Why the process should be started again; None where it should not.

        That a server is away is no reason: a new process would not find it either.
        """
        seconds = self._seconds_since_beat()
        if seconds > LONGEST_BEAT_SECONDS:
            return f"the last heartbeat ended {seconds:.0f} s ago"
        return None

    def state(self) -> Mapping[str, object]:
        """Give readiness as it is answered."""
        missing = self.missing
        return {"ready": not missing, "missing": missing}


def _no() -> bool:
    return False


def yes() -> bool:
    """For a part that is there once and for all."""
    return True
