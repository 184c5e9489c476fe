"""Health: whether the process lives, and what it lacks to take events."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias

LONGEST_BEAT_SECONDS: Final = 60.0
"""More than a heartbeat takes that waits for a connection and for its answer, and gets neither."""

Found: TypeAlias = Literal["postgres", "migrations"]


class Reachable(Protocol):
    """A connection that knows how it is."""

    @property
    def healthy(self) -> bool:
        """Whether the server answers."""
        ...


class Beating(Protocol):
    """What asks the store again and again."""

    @property
    def is_fresh(self) -> bool:
        """Whether the store has answered of late."""
        ...

    @property
    def seconds_since_answer(self) -> float:
        """How long ago the store has answered."""
        ...

    @property
    def seconds_since_try(self) -> float:
        """How long ago the last heartbeat ended, well or not."""
        ...


class Serving(Protocol):
    """A replica that takes events."""

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        ...

    def services(self) -> Mapping[str, bool]:
        """Say of each background service whether it runs; all should."""
        ...

    def lacking(self) -> Sequence[str]:
        """Name the streams and groups of the bus that are gone, and a clock that is in doubt."""
        ...


class Health:
    """What the probes are told. It is made before anything else, and told what has come.

    A part is named as missing until it has come; what can go again is asked at each look.
    `stuck_seconds` may the store be of no use to this process while NATS is there.
    """

    def __init__(self, stuck_seconds: float = math.inf) -> None:
        self._stuck_seconds = stuck_seconds
        self._found: set[Found] = set()
        self._nats: Reachable | None = None
        self._heartbeat: Beating | None = None
        self._replica: Serving | None = None

    def found(self, part: Found) -> None:
        """Say that a part is there."""
        self._found.add(part)

    def connected(self, nats: Reachable) -> None:
        """Say that there is a connection to NATS."""
        self._nats = nats

    def takes_events(self, replica: Serving, heartbeat: Beating) -> None:
        """Say that the intake is open; from now on there are heartbeats, and services that run."""
        self._replica, self._heartbeat = replica, heartbeat

    @property
    def missing(self) -> list[str]:
        """What the replica lacks to take events; empty when it is ready."""
        parts = {
            "nats": self._nats is not None and self._nats.healthy,
            "postgres": self._heartbeat.is_fresh if self._heartbeat else "postgres" in self._found,
            "migrations": "migrations" in self._found,
            "intake": self._replica is not None,
        }
        lacking = [name for name, is_there in parts.items() if not is_there]
        if self._replica is None:
            return lacking
        if self._replica.is_stopping:
            return [*lacking, "stopping"]
        services = self._replica.services()
        lacking += [name for name, is_running in services.items() if not is_running]
        return [*lacking, *self._replica.lacking()]

    @property
    def fault(self) -> str | None:
        """Why the process should be started again; None where it should not.

        That servers are away is no reason: a new process would not find them either. That one is
        away for long, and the other there, may be: an address or a route that only we still have.
        """
        if self._heartbeat is None:
            return None
        seconds = self._heartbeat.seconds_since_try
        if seconds > LONGEST_BEAT_SECONDS:
            return f"the last heartbeat ended {seconds:.0f} s ago"
        seconds = self._heartbeat.seconds_since_answer
        if seconds > self._stuck_seconds and self._nats is not None and self._nats.healthy:
            return f"PostgreSQL has been of no use for {seconds:.0f} s, while NATS answers"
        return None

    def state(self) -> Mapping[str, object]:
        """Give readiness as it is answered."""
        missing = self.missing
        return {"ready": not missing, "missing": missing}
