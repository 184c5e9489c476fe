"""Leases of the set-ups of triggers, in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from lockstep.ports.workers import Stale
from lockstep.store.parked import ParkedStore
from lockstep.store.pool import Store
from lockstep.store.queries import query

Key = tuple[str, str]
"""Automation id, trigger id."""


class SetupStore:
    """See `pipeline.setups.SetupLeases`."""

    def __init__(self, store: Store, worker_id: UUID, stale: Stale) -> None:
        self._store, self._worker_id, self._stale = store, worker_id, stale

    async def owned(self) -> set[Key]:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("triggers/setups_of", worker_id=self._worker_id))
        return {(row["automation_id"], row["trigger_id"]) for row in rows}

    async def workers(self) -> int:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            found = await connection.fetchval(*query("workers/count_living", stale=self._stale()))
        return max(1, int(found))

    async def claim(self, wanted: Sequence[Key], most: int) -> set[Key]:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "triggers/claim_setups",
                    setups=wanted,
                    worker_id=self._worker_id,
                    stale=self._stale(),
                    limit=most,
                )
            )
        return {(row["automation_id"], row["trigger_id"]) for row in rows}

    async def park_setup(self, automation_id: str, trigger_id: str, reason: str) -> None:
        """See `pipeline.setups.SetupLeases`."""
        parked = ParkedStore(self._store, self._worker_id)
        await parked.park_setup(automation_id, trigger_id, reason)

    async def unpark(self, keys: Sequence[Key]) -> None:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("triggers/unpark_setups", setups=keys))

    async def release(self, keys: Sequence[Key]) -> None:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            await connection.execute(
                *query("triggers/release_setups", setups=keys, worker_id=self._worker_id)
            )
