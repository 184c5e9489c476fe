"""Workers in PostgreSQL: each renews its row, and takes it away when it ends."""

from datetime import datetime
from uuid import UUID

from lockstep.store.pool import Store
from lockstep.store.queries import query


class WorkerStore:
    """The row of a worker, on a connection that waits for no other work."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store.apart("heartbeat"), worker_id

    async def heartbeat(self, name: str, version: str) -> datetime:
        """Renew the worker's row; give the time of the database."""
        async with self._store.connection() as connection:
            now: datetime = await connection.fetchval(
                *query("workers/heartbeat", id=self._worker_id, name=name, version=version)
            )
        return now

    async def retire(self) -> None:
        """Take the worker's row away: nothing more will come of it."""
        async with self._store.connection() as connection:
            await connection.execute(*query("workers/retire", id=self._worker_id))

    async def forget(self) -> None:
        """Take away the rows of workers that are long gone."""
        async with self._store.connection() as connection:
            await connection.execute(*query("workers/forget"))
