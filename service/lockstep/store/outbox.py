"""The outbox in PostgreSQL."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING
from uuid import UUID

from lockstep.model.outbox import EventRow
from lockstep.store.bodies import portions
from lockstep.store.parked import ParkedStore
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query

if TYPE_CHECKING:
    from lockstep.store.pool import Connection


async def add_events(connection: "Connection", events: Sequence[EventRow]) -> None:
    """Put events into the outbox, in the transaction of `connection`."""
    for some in portions(events, lambda one: len(one.body)):
        await connection.execute(*query("outbox/add", events=columns(EventRow, some)))


class OutboxStore:
    """See `report.outbox.Outbox`."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store, worker_id

    async def of_topics(self, topics: Sequence[str]) -> tuple[Sequence[EventRow], Set[str]]:
        """See `report.outbox.Outbox`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("outbox/of_topics", topics=topics))
        held, found = set[str](), list[EventRow]()
        for *row, is_parked in rows:
            if is_parked:
                held.add(row[0])
            elif row[0] not in held:
                found.append(EventRow(*row))
        return found, held

    async def park(self, row: EventRow, reason: str) -> None:
        """See `report.outbox.Outbox`."""
        await ParkedStore(self._store, self._worker_id).park_outbox(row, reason)

    async def overdue(self, seconds: float, limit: int) -> Sequence[EventRow]:
        """See `report.outbox.Outbox`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("outbox/old", seconds=seconds, limit=limit))
        return [EventRow(*row) for row in rows]

    async def forget(self, rows: Sequence[EventRow]) -> None:
        """Delete what the bus has acknowledged: in one order, whoever else has published it too."""
        rows = sorted(rows, key=lambda row: (row.topic, row.seq))
        async with self._store.connection() as connection:
            await connection.execute(*query("outbox/forget", events=columns(EventRow, rows)))
