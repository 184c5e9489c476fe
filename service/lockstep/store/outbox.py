"""The outbox in PostgreSQL."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockstep.model.runs import EventRow
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
from lockstep.store.runs import columns

if TYPE_CHECKING:
    from lockstep.store.pool import Connection


async def add_events(connection: "Connection", events: Sequence[EventRow]) -> None:
    """Put events into the outbox, in the transaction of `connection`."""
    rows = [(e.topic, e.seq, e.subject, e.message_id, e.body) for e in events]
    await connection.execute(QUERIES["add_events"], *columns(rows, 5))


class OutboxStore:
    """See `report.outbox.Outbox`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_topics(self, topics: Sequence[str]) -> Sequence[EventRow]:
        """What is stored of these topics, in order."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["events_of_topics"], topics)
        return [EventRow(*row) for row in rows]

    async def overdue(self, seconds: float, limit: int) -> Sequence[EventRow]:
        """What has been there for longer than `seconds`, oldest first."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["old_events"], seconds, limit)
        return [EventRow(*row) for row in rows]

    async def forget(self, rows: Sequence[EventRow]) -> None:
        """Delete what the bus has acknowledged."""
        done = [(row.topic, row.seq) for row in rows]
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["forget_events"], *columns(done, 2))
