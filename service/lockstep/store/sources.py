"""Leases of the set-ups of triggers, in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
from lockstep.store.runs import columns

Key = tuple[str, str]
"""Automation id, trigger id."""


class SourceStore:
    """What `sources` needs of the store."""

    def __init__(self, store: Store, worker_id: UUID, stale_seconds: float) -> None:
        self._store, self._worker_id, self._stale_seconds = store, worker_id, stale_seconds

    async def held(self) -> set[Key]:
        """The set-ups that are this worker's."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["held_sources"], self._worker_id)
        return {(row["automation_id"], row["trigger_id"]) for row in rows}

    async def workers(self) -> int:
        """How many workers live; at least this one."""
        async with self._store.connection() as connection:
            found = await connection.fetchval(QUERIES["living_workers"], self._stale_seconds)
        return max(1, int(found))

    async def claim(self, wanted: Sequence[Key], most: int) -> set[Key]:
        """Take set-ups that no living worker runs."""
        arrays = columns(wanted, 2)
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                QUERIES["claim_sources"], *arrays, self._worker_id, self._stale_seconds, most
            )
        return {(row["automation_id"], row["trigger_id"]) for row in rows}

    async def release(self, keys: Sequence[Key]) -> None:
        """Give set-ups back."""
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["release_sources"], *columns(keys, 2), self._worker_id)
