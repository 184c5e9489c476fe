"""Parked rows: what this replica could not handle is put aside, what others could not, it tries.

Every loop passes over what is parked. Here each replica tries, once, what the others have parked;
and again when it knows more than before, or when an operator asks for it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from lockstep.model.errors import is_away
from lockstep.model.runs import RunState
from lockstep.model.waits import Due
from lockstep.ports.clock import Clock
from lockstep.ports.places import Places
from lockstep.ports.report import Report
from lockstep.replicas.claims import LostStates, take_up

AT_ONCE: Final = 100  # rows of a table in one pass: each is handled as its loop would
NOTED_EVERY: Final = timedelta(seconds=60)  # people look at the list; a query that writes nothing
MOST_RUNS: Final = 32  # places for parked runs in one pass: those that are ready come first

log = structlog.get_logger()


class ParkedRows(Protocol):
    """What is parked in the store; what is released, this worker handles now."""

    async def release_waits(self, limit: int) -> Sequence[Due]:
        """Let waits be fired that this worker has not tried."""
        ...

    async def release_timers(self, limit: int) -> Sequence[Due]:
        """Let timers be judged that this worker has not tried."""
        ...

    async def release_outbox(self, limit: int) -> Sequence[str]:
        """Let run events be published that this worker has not tried; give their topics."""
        ...

    async def note_automations(self, unreadable: Mapping[str, str]) -> None:
        """Say which automations this worker cannot compile, each with the reason."""
        ...

    async def forget_trials(self) -> None:
        """Let this worker try again what it could not handle."""
        ...


class ParkedRuns(LostStates, Protocol):
    """The parked runs in the store."""

    async def claim_parked(self, limit: int, now: datetime) -> Sequence[RunState]:
        """Take parked runs that this worker has not tried."""
        ...


class EventsApart(Protocol):
    """Events that were kept for who could not be asked about them."""

    async def judge(self, limit: int) -> None:
        """Judge those that this worker has not tried."""
        ...

    async def bury(self, limit: int) -> None:
        """Let those become dead letters that have been parked for too long."""
        ...


class Knowledge(Protocol):
    """What this replica knows of automations."""

    def unreadable(self) -> Mapping[str, str]:
        """The automations that it cannot compile, each with the reason."""
        ...


class ParkedTrials:
    """Tries what other replicas have parked."""

    def __init__(
        self,
        *,
        rows: ParkedRows,
        runs: ParkedRuns,
        knowledge: Knowledge,
        places: Places,
        report: Report,
        clock: Clock,
        fire_waits: Callable[[Sequence[Due]], Awaitable[None]],
        fire_timers: Callable[[Sequence[Due]], Awaitable[None]],
        events: EventsApart,
    ) -> None:
        self._rows, self._runs, self._knowledge = rows, runs, knowledge
        self._places, self._report, self._clock = places, report, clock
        self._fire_waits, self._fire_timers = fire_waits, fire_timers
        self._events = events
        self._noted: Mapping[str, str] | None = None
        self._noted_at: datetime | None = None

    async def sweep(self) -> None:
        """Try each row that this worker has not tried, some of each table.

        Raises:
            Unavailable: A server is away; what is behind is not tried.
            Exception: The first that a table has failed with; the others were tried.
        """
        first: Exception | None = None
        for what, part in self._parts().items():
            try:
                await part()
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("trial.failed", kind=what)
                first = first or error
        if first is not None:
            raise first

    def _parts(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {
            "automation": self._note,
            "run": self._walk_runs,
            "wait": self._wake,
            "timer": self._ring,
            "outbox": self._publish,
            "event": lambda: self._events.judge(AT_ONCE),
            "old event": lambda: self._events.bury(AT_ONCE),
        }

    async def _wake(self) -> None:
        if waits := await self._rows.release_waits(AT_ONCE):
            await self._fire_waits(waits)

    async def _ring(self) -> None:
        if timers := await self._rows.release_timers(AT_ONCE):
            await self._fire_timers(timers)

    async def _publish(self) -> None:
        if topics := await self._rows.release_outbox(AT_ONCE):
            await self._report.take_over(sorted(set(topics)))

    async def _note(self) -> None:
        """Tell which automations cannot be compiled here; who knows more than before tries anew.

        Again from time to time: who could not compile one may have gone, and was the last.
        """
        unreadable, now = self._knowledge.unreadable(), self._clock.now()
        is_new = unreadable != self._noted
        if not is_new and self._noted_at and now - self._noted_at < NOTED_EVERY:
            return
        if is_new and self._noted is not None:
            await self._rows.forget_trials()
        await self._rows.note_automations(unreadable)
        self._noted, self._noted_at = unreadable, now

    async def _walk_runs(self) -> None:
        """Take parked runs up; those that cannot be read here are parked again."""
        reserved = self._places.reserve(min(MOST_RUNS, (self._places.free + 1) // 2))

        async def claim(limit: int) -> Sequence[RunState]:
            return await self._runs.claim_parked(limit, self._clock.now())

        await take_up(claim, self._runs, reserved, self._places, self._report)
