"""The endpoint `status`: how the whole is, as far as the servers tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from lockstep.model.errors import EngineError
from lockstep.model.findings import StoredFigures
from lockstep.ports.clock import Clock, KnownOffset
from lockstep_schemas.events import Actor
from lockstep_schemas.status import (
    ClockStatus,
    QueueStatus,
    ServerVersions,
    SlowAutomation,
    Status,
    StatusRequest,
)

PATIENCE_SECONDS: Final = 5.0
"""How long a server may take to tell: who asks is a person, and something may be down."""

Figure = TypeVar("Figure")


class StatusStore(Protocol):
    """Counts what is stored."""

    async def stored(self) -> StoredFigures:
        """Count. Raise Unavailable."""
        ...


class BusStatus(Protocol):
    """Tells what waits in the streams."""

    @property
    def server_version(self) -> str | None:
        """The version of the server; None while there is no connection."""
        ...

    async def queues(self) -> list[QueueStatus]:
        """Say of each consumer group what waits for it. Raise Unavailable, ServerUnfit."""
        ...

    async def dead_letters(self) -> int:
        """Count the dead letters. Raise Unavailable, ServerUnfit."""
        ...


class KnownClock(Protocol):
    """What the worker that answers knows of the clock of the stream of events."""

    @property
    def known(self) -> KnownOffset | None:
        """What all replicas go by; None before the first measurement."""
        ...

    @property
    def doubt(self) -> str | None:
        """Why it is not to be trusted now."""
        ...


class StatusEndpoint:
    """Puts together what the servers tell; one that is silent is a problem, not an error."""

    def __init__(
        self,
        store: StatusStore,
        bus: BusStatus,
        clock: Clock,
        stream_clock: KnownClock,
        faults: Callable[[], Sequence[str]],
        slow: Callable[[], Mapping[str, float]],
        worker: str,
        version: str,
    ) -> None:
        """`faults` says what is wrong with the replica that answers, `slow` what judging takes."""
        self._slow, self._stream_clock = slow, stream_clock
        self._store, self._bus, self._clock, self._faults = store, bus, clock, faults
        self._worker, self._version = worker, version

    async def status(self, _request: StatusRequest, _: Actor | None) -> Status:
        """Say how it is now."""
        problems = [*self._faults()]
        stored, queues, dead_letters = await asyncio.gather(
            _asked("PostgreSQL", self._store.stored, problems),
            _asked("consumer groups", self._bus.queues, problems),
            _asked("dead letters", self._bus.dead_letters, problems),
        )
        return Status(
            at=self._clock.now(),
            answered_by=self._worker,
            versions=ServerVersions(
                engine=self._version,
                nats=self._bus.server_version,
                postgres=stored.version if stored else None,
                migration=stored.migration if stored else None,
            ),
            workers=stored.workers if stored else None,
            queues=queues,
            runs=stored.runs if stored else None,
            waits=stored.waits if stored else None,
            outbox=stored.outbox if stored else None,
            dead_letters=dead_letters,
            parked=dict(stored.parked) if stored else None,
            slow_automations=[
                SlowAutomation(automation_id=one, average_ms=round(taken, 3))
                for one, taken in sorted(self._slow().items())
            ],
            clock=_clock(self._stream_clock),
            problems=problems,
        )


def _clock(clock: KnownClock) -> ClockStatus | None:
    known = clock.known
    if known is None:
        return None
    return ClockStatus(
        stream=known.stream,
        leader=known.leader,
        ahead_ms=_ms(known.offset.ahead),
        error_ms=_ms(known.offset.error),
        measured_at=known.measured_at,
        begun_at=known.begun_at,
        begun_because=known.begun_because,
        was_ahead_ms=None if known.was_ahead is None else _ms(known.was_ahead),
        doubt=clock.doubt,
    )


def _ms(span: timedelta) -> float:
    return span / timedelta(milliseconds=1)


async def _asked(
    what: str, ask: Callable[[], Awaitable[Figure]], problems: list[str]
) -> Figure | None:
    """Ask; note it where there is no answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await ask()
    except TimeoutError:
        problems.append(f"{what}: no answer within {PATIENCE_SECONDS:g} s")
    except EngineError as error:
        problems.append(f"{what}: {error}")
    return None
