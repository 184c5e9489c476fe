"""Housekeeping: what nobody asks for any more is deleted, a little at a time.

As long as there is something it goes on, resting as long as it works: it keeps up with what comes,
and leaves the half of one connection to others.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, Protocol, TypeAlias

import structlog

from lockstep import store
from lockstep.model.errors import Unavailable
from lockstep.model.messages import StreamBegin
from lockstep.ports.clock import Clock, StreamClock
from lockstep.ports.workers import Stale
from lockstep.settings.structs import EngineSettings

AT_ONCE: Final = 5000  # rows: a statement of some 100 ms
FROZEN_SECONDS: Final = 8.0  # as long as the server lets a transaction be idle
OUT_OF_WINDOW: Final = timedelta(hours=1)  # more than a counter may be read behind its window

_Tasks: TypeAlias = Mapping[str, Callable[[], Awaitable[object]]]

log = structlog.get_logger()


class Events(Protocol):
    """The stream of events."""

    async def begin(self) -> StreamBegin:
        """Say from where on it still has any. Raise Unavailable."""
        ...


class Housekeeping:
    """Deletes receipts, rows of workers, decisions, and runs that ended long ago."""

    def __init__(
        self,
        settings: EngineSettings,
        database: store.Store,
        workers: store.WorkerStore,
        stale: Stale,
        decisions: store.DecisionStore,
        retention: store.Retention,
        receipts: store.Receipts,
        recent: store.RecentEvents,
        events: Events,
        clock: Clock,
        stream_clock: StreamClock,
    ) -> None:
        self._settings, self._database = settings, database
        self._workers, self._stale = workers, stale
        self._decisions, self._retention, self._receipts = decisions, retention, receipts
        self._recent = recent
        self._events, self._clock, self._stream_clock = events, clock, stream_clock

    async def clean(self) -> None:
        """Delete what has no owner. Raise what has failed, when the rest is done."""
        begins: list[StreamBegin] = []

        async def ask() -> None:
            begins.append(self._by_ours(await self._events.begin()))

        failed = await _each({**self._tasks(), "stream": ask})
        for begin in begins:
            failed += await _each(self._passed(begin))
        if failed:
            # A fault before a server that is away: that passes, and is no fault.
            raise min(failed, key=lambda one: isinstance(one, Unavailable))

    def _tasks(self) -> _Tasks:
        """Give what is done whatever the stream has."""
        kept = self._settings.judgements
        return {
            "workers": lambda: self._workers.forget(self._stale()),
            "bodies": lambda: self._retention.forget_bodies(AT_ONCE),
            "suspects": lambda: self._receipts.forget_suspects(AT_ONCE),
            "decisions": lambda: _while_some(lambda: self._decisions.forget(kept, AT_ONCE)),
            "recent_bytes": lambda: _while_some(lambda: self._recent.drop(AT_ONCE)),
        }

    def _passed(self, begin: StreamBegin) -> _Tasks:
        """Give what is done of what the stream has passed.

        Receipts of an event that could come again, and what a backlog will ask for, stay.
        """
        hours = self._settings.receipts_hours
        oldest = min(begin.oldest_at or self._clock.now(), self._clock.now())
        before = oldest - OUT_OF_WINDOW
        return {
            "receipts": lambda: _while_some(lambda: self._receipts.forget(hours, begin, AT_ONCE)),
            "recent_events": lambda: _while_some(lambda: self._recent.forget(oldest, AT_ONCE)),
            "occurrences": lambda: _while_some(
                lambda: self._decisions.forget_occurrences(before, AT_ONCE)
            ),
        }

    async def end_frozen(self) -> None:
        """End sessions in which a replica is frozen, so that nobody waits for it.

        Raises:
            Unavailable: The store is away.
        """
        ended = await self._database.end_frozen(FROZEN_SECONDS)
        if ended:
            log.warning("sessions.ended", sessions=ended)

    async def forget_runs(self) -> None:
        """Delete finished runs that are older than the settings keep them. Raise Unavailable."""
        days = self._settings.keep_runs_days
        if days:
            forgotten = await self._retention.forget(self._clock.now() - timedelta(days=days))
            if forgotten:
                log.info("runs.forgotten", runs=forgotten)

    def _by_ours(self, begin: StreamBegin) -> StreamBegin:
        """Give the times of a stream by the one clock: they are compared with what it told."""
        offset = self._stream_clock.offset
        ahead = timedelta() if offset is None else offset.ahead
        oldest_at = None if begin.oldest_at is None else begin.oldest_at - ahead
        return begin._replace(created_at=begin.created_at - ahead, oldest_at=oldest_at)


async def _while_some(delete: Callable[[], Awaitable[bool]]) -> None:
    """Delete as long as there may be more."""
    while True:
        began = time.monotonic()
        if not await delete():
            return
        await asyncio.sleep(time.monotonic() - began)


async def _each(tasks: _Tasks) -> list[Exception]:
    """Do each; what fails keeps none of the others from being done, and is given back."""
    failed: list[Exception] = []
    for name, task in tasks.items():
        try:
            await task()
        except Exception as error:  # noqa: BLE001 - the others are wanted all the more
            log.warning("housekeeping.failed", task=name, error=error)
            failed.append(error)
    return failed
