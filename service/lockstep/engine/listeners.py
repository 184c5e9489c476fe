"""The one list of those who hear what is committed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog

from lockstep.model.decisions import Decision
from lockstep.model.new_runs import NewRun
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Checkpoint, Ended
from lockstep.model.timers import Hold
from lockstep.model.waits import Due, Firing
from lockstep.ports.listeners import Listener
from lockstep.ports.telemetry import Meter

MOMENTS: Final = (
    "launched", "fired", "armed", "checkpointed", "ended", "looking", "judged", "reported",
)  # fmt: skip

log = structlog.get_logger()


class Listeners(Listener):
    """Tells all, in their order; one that raises is logged and counted, the others still hear."""

    def __init__(self, listeners: Sequence[Listener], meter: Meter) -> None:
        self._meter = meter
        # Whoever does not override a moment is not called for it: checkpoints come by thousands.
        self._hearing: Mapping[str, Sequence[tuple[str, Callable[..., None]]]] = {
            moment: [
                (type(one).__name__, getattr(one, moment))
                for one in listeners
                if getattr(type(one), moment) is not getattr(Listener, moment)
            ]
            for moment in MOMENTS
        }
        for one in listeners:
            meter.listener_failed(type(one).__name__, 0)  # a rate needs two numbers

    def launched(self, runs: Sequence[NewRun]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("launched", runs)

    def fired(self, firings: Sequence[Firing]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("fired", firings)

    def armed(self, holds: Sequence[Hold], disarmed: Sequence[UUID], ticks: Sequence[Due]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("armed", holds, disarmed, ticks)

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("checkpointed", done)

    def ended(self, ended: Sequence[Ended]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("ended", ended)

    def looking(self, waits: Sequence[UUID]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("looking", waits)

    def judged(self, decisions: Sequence[Decision]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("judged", decisions)

    def reported(self, rows: Sequence[EventRow]) -> None:
        """See `ports.listeners.Listener`."""
        self._tell("reported", rows)

    def _tell(self, moment: str, *what: object) -> None:
        for name, hear in self._hearing[moment]:
            try:
                hear(*what)
            except Exception:
                log.exception("listener.failed", listener=name, moment=moment)
                self._meter.listener_failed(name)
