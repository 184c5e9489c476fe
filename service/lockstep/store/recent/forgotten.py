"""Events that no wait looks back on any more are forgotten, and the oldest that have no room."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from lockstep.model.waits import LONGEST_LOOK_BACK
from lockstep.store.pool import Store
from lockstep.store.queries import query

MOST_MARKS: Final = 10_000  # topics of which is known that events were dropped: a megabyte
FIRST: Final = UUID(int=0)
APART: Final = timedelta(hours=1)  # by which clocks of replicas differ at most, and by far

log = structlog.get_logger()


class RecentEvents:
    """What waits may look back on; any number of replicas may forget at the same time."""

    def __init__(self, store: Store, most_bytes: int, most_marks: int = MOST_MARKS) -> None:
        self._store, self._most_bytes, self._most_marks = store, most_bytes, most_marks
        self._run = FIRST  # the last one whose events were looked at
        self._position = 0  # of the last event that was looked at

    async def forget(self, oldest: datetime, limit: int) -> bool:
        """Forget some of what is too old, or for nobody; say whether there may be more.

        No event is unhandled, so none may start a run yet, that is older than `oldest`.

        Raises:
            Unavailable: The store is away.
        """
        before = oldest - LONGEST_LOOK_BACK
        async with self._store.connection() as connection:
            await connection.execute(*query("recent/forget_versions", before=before))
            (events,) = await connection.fetch(
                *query(
                    "recent/forget",
                    before=before - APART,
                    longest=LONGEST_LOOK_BACK.total_seconds(),
                    after=self._position,
                    limit=limit,
                )
            )
            if events["gone"]:
                await connection.execute(*query("recent/join_marks", most=self._most_marks))
            await connection.execute(*query("recent/forget_marks"))
            (page,) = await connection.fetch(
                *query("recent/forget_taken", after=self._run, limit=limit)
            )
        self._position = events["last"] if events["looked"] == limit else 0
        self._run = UUID(page["last"]) if page["looked"] == limit else FIRST
        return bool(events["gone"] and events["looked"] == limit)

    async def drop(self, limit: int) -> bool:
        """Drop some of the oldest where all need too much room; say whether there may be more.

        Raises:
            Unavailable: The store is away.
        """
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("recent/drop", most_bytes=self._most_bytes, limit=limit)
            )
            if rows:
                await connection.execute(*query("recent/join_marks", most=self._most_marks))
        for row in rows:
            log.warning(
                "events.dropped", event_id=row["event_id"], events=row["events"],
                until=row["until"].isoformat(),
            )  # fmt: skip
        dropped = sum(int(row["events"]) for row in rows)
        return dropped == limit
