"""What the store knows of how the whole is."""

from lockstep.model.findings import StoredFigures
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.status import OutboxStatus, RunsStatus, WaitsStatus, WorkerStatus


class StatusStore:
    """Counts what is there, at one moment."""

    def __init__(self, store: Store, stale_seconds: float) -> None:
        self._store, self._stale_seconds = store, stale_seconds

    async def stored(self) -> StoredFigures:
        """Count. Raise Unavailable."""
        async with (
            self._store.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            servers, runs, waits, outbox = [
                (await connection.fetch(*query(name)))[0]
                for name in ("status/servers", "status/runs", "status/waits", "status/outbox")
            ]
            workers = await connection.fetch(*query("status/workers"))
            parked = await connection.fetch(*query("parked/counts"))
        return StoredFigures(
            version=servers["version"],
            migration=servers["migration"],
            workers=[
                WorkerStatus(
                    id=str(row["id"]),
                    host=row["name"],
                    version=row["engine_version"],
                    started_at=row["started_at"],
                    heartbeat_at=row["heartbeat_at"],
                    silent_seconds=max(0.0, row["silent_seconds"]),
                    alive=row["silent_seconds"] < self._stale_seconds,
                    runs=row["runs"],
                )
                for row in workers
            ],
            runs=RunsStatus(**runs),
            waits=WaitsStatus(**waits),
            outbox=OutboxStatus(**outbox),
            parked={row["kind"]: row["number"] for row in parked},
        )
