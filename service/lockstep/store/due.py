"""What is due, waits or timers of triggers, as `wake.Timers` asks for it."""

from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

import asyncpg

from lockstep.model.waits import Due
from lockstep.ports.workers import Stale
from lockstep.store.pool import Store
from lockstep.store.queries import query

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = UUID(int=0)


class DueRows:
    """See `wake.timers.DueRows`; the queries are those of the folder that is named."""

    def __init__(
        self, store: Store, worker_id: UUID, stale: Stale, what: Literal["waits", "timers"]
    ) -> None:
        self._store, self._worker_id, self._stale = store, worker_id, stale
        self._what = what

    async def near(self, since: datetime, until: datetime, limit: int) -> list[Due]:
        """See `wake.timers.DueRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    f"{self._what}/near",
                    worker_id=self._worker_id,
                    since=since,
                    until=until,
                    limit=limit,
                    stale=self._stale(),
                )
            )
        return [_due(row) for row in rows]

    async def next_due(self, after: datetime) -> datetime | None:
        """See `wake.timers.DueRows`."""
        async with self._store.connection() as connection:
            due: datetime | None = await connection.fetchval(
                *query(f"{self._what}/next", after=after)
            )
        return due

    async def overdue(self, until: datetime, limit: int, after: Due | None) -> list[Due]:
        """See `wake.timers.DueRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    f"{self._what}/overdue",
                    until=until,
                    limit=limit,
                    after=after.due_at if after is not None else EVER,
                    after_id=after.id if after is not None else FIRST,
                )
            )
        return [_due(row) for row in rows]


def _due(row: asyncpg.Record) -> Due:
    return Due(row["id"], row["kind"], row["due_at"])
