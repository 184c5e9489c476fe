"""Runs that were started by steps of other runs, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.child_runs import Child
from lockstep.model.waits import Firing
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep.store.waits import fire
from lockstep_schemas.remote import ActionReply

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

FIRST: Final = UUID(int=0)
AT_ONCE: Final = 200  # each is ended or woken in the same sweep; the next one takes the others
GONE: Final = "the run that was started is gone: its automation was deleted"


async def child(connection: "Connection", run_id: UUID, path: str) -> Child | None:
    """Find the run that a step has started."""
    row = await connection.fetchrow(*query("children/get", run_id=run_id, path=path))
    return Child(row["id"], row["status"]) if row else None


class ChildStore:
    """What `children` needs of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_orphan = FIRST  # where the sweep goes on

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """Find the run that a step has started."""
        async with self._store.connection() as connection:
            return await child(connection, run_id, path)

    async def wake_parents(self, run_ids: Sequence[UUID], now: datetime) -> list[Firing]:
        """See `pipeline.child_runs.ParentsAndChildren`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("children/ended", run_ids=run_ids))
            return await fire(connection, _results(rows), "event", now)

    async def wake_missed(self, now: datetime) -> list[Firing]:
        """See `pipeline.child_runs.ParentsAndChildren`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("children/missed", limit=AT_ONCE))
            return await fire(connection, _results(rows), "event", now)

    async def of_parents(self, run_ids: Sequence[UUID]) -> list[UUID]:
        """Find the active runs that are to be cancelled with these."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("children/active_of", run_ids=run_ids))
        return [row["id"] for row in rows]

    async def orphans(self) -> list[UUID]:
        """Find active runs that are to be cancelled with their parents, which were ended.

        A page, and the next one the next time.
        """
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("children/orphans", after=self._last_orphan, limit=AT_ONCE)
            )
        self._last_orphan = rows[-1]["id"] if len(rows) == AT_ONCE else FIRST
        return [row["id"] for row in rows]


def _results(rows: Sequence[asyncpg.Record]) -> list[tuple[UUID, bytes]]:
    """Say how runs have ended, as the results of the steps that wait for them."""
    found = []
    for row in rows:
        if row["id"] is None:
            result = ActionReply(success=False, error=GONE)
        else:
            run_id = str(row["id"])
            artifact = {"run_id": run_id, "status": row["status"]}
            result = ActionReply(success=True, artifact=artifact, external_id=run_id)
        found.append((row["wait_id"], msgspec.json.encode(result)))
    return found
