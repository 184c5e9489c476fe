"""What is due, waits or timers of triggers, as `wake.Alarms` asks for it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from lockstep.model.runs import Due
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES


class DueRows:
    """See `wake.alarms.Rows`; the queries are `near_`, `next_` and `overdue_` of what is named."""

    def __init__(
        self, store: Store, worker_id: UUID, stale_seconds: float, what: Literal["waits", "timers"]
    ) -> None:
        self._store, self._worker_id, self._stale_seconds = store, worker_id, stale_seconds
        self._near, self._next = QUERIES[f"near_{what}"], QUERIES[f"next_{what}"]
        self._overdue = QUERIES[f"overdue_{what}"]

    async def near(self, since: datetime, until: datetime, limit: int) -> list[Due]:
        """Find this worker's share of what is due in a time, earliest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                self._near, self._worker_id, since, until, limit, self._stale_seconds
            )
        return [_due(row) for row in rows]

    async def next_due(self, after: datetime) -> datetime | None:
        """Give when the next one is due after a time."""
        async with self._store.connection() as connection:
            due: datetime | None = await connection.fetchval(self._next, after)
        return due

    async def overdue(self, until: datetime, limit: int) -> list[Due]:
        """Find what was due before a time, earliest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(self._overdue, until, limit)
        return [_due(row) for row in rows]


def _due(row: asyncpg.Record) -> Due:
    return Due(row["id"], row["kind"], row["due_at"])
