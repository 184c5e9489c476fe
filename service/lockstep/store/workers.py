"""Workers in PostgreSQL: each renews its row, and takes it away when it ends."""

from collections.abc import Sequence
from uuid import UUID

from lockstep.ports.workers import Beat, Look
from lockstep.store.pool import Store
from lockstep.store.queries import query


class WorkerStore:
    """The row of a worker, on a connection that waits for no other work."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store.apart("heartbeat"), worker_id

    async def heartbeat(self, name: str, version: str) -> Look:
        """Renew the worker's row; give the time of the database, and the beats of the others."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("workers/heartbeat", id=self._worker_id, name=name, version=version)
            )
        return Look(
            rows[0]["now"],
            {row["id"]: row["heartbeat_at"] for row in rows if row["id"] is not None},
        )

    async def retire(self) -> None:
        """Take the worker's row away: nothing more will come of it."""
        async with self._store.connection() as connection:
            await connection.execute(*query("workers/retire", id=self._worker_id))

    async def forget(self, stale: Sequence[Beat]) -> None:
        """Take away the rows of those that are long gone."""
        async with self._store.connection() as connection:
            await connection.execute(*query("workers/forget", stale=stale))
