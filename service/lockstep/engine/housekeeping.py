"""Housekeeping: what nobody asks for any more is deleted, a little at a time."""

from datetime import timedelta
from typing import Final

import structlog

from lockstep import store
from lockstep.ports.clock import Clock
from lockstep.ports.workers import Stale
from lockstep.settings.structs import EngineSettings

AT_ONCE: Final = 5000  # rows: a statement of some 100 ms, once a minute
FROZEN_SECONDS: Final = 8.0  # as long as the server lets a transaction be idle
OUT_OF_WINDOW: Final = timedelta(hours=1)  # more than a counter may be read behind its window

log = structlog.get_logger()


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
        clock: Clock,
    ) -> None:
        self._settings, self._database = settings, database
        self._workers, self._stale = workers, stale
        self._decisions, self._retention, self._clock = decisions, retention, clock

    async def clean(self) -> None:
        """Delete what has no owner. Raise Unavailable."""
        await self._database.forget_receipts(self._settings.receipts_hours, AT_ONCE)
        await self._workers.forget(self._stale())
        before = self._clock.now() - OUT_OF_WINDOW
        await self._decisions.forget(self._settings.judgements, before, AT_ONCE)

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
