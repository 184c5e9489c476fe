"""Waits in PostgreSQL: fired, found when due, shown; and runs that are ended from outside."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.events import Event
from lockstep.model.outbox import EventRow
from lockstep.model.parked import Row
from lockstep.model.runs import Ended, Ending
from lockstep.model.waits import (
    KEY_SECONDS,
    Awaited,
    Cause,
    Firing,
    MirroredWait,
    Standing,
    StepKey,
    StepResult,
    has_key,
    topic,
)
from lockstep.ports.unhandled import HeldUp, Question
from lockstep.store.bodies import portions
from lockstep.store.outbox import add_events
from lockstep.store.parked import ParkedStore
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query
from lockstep.store.runs import run_as_told
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import ACTION_DONE
from lockstep_schemas.run_events import WaitKind

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

PAGE: Final = 2000  # sleepers: some hundred kilobytes, gone through without holding up the loop
AT_ONCE: Final = 1000  # far from the 10 s of a statement, and the locks of their runs go soon
NEVER: Final = 2**63 - 1  # a number that no message of a stream has
FIRST: Final = UUID(int=0)
FIRED: Final[Sequence[WaitKind]] = ("delay", "event", "retry", "remote", "child")

_decode = msgspec.json.Decoder().decode


async def awaited(
    connection: "Connection", events: Sequence[Event], after: Awaited | None = None
) -> list[Awaited]:
    """Find the armed waits that events may satisfy; `place` is that of the event."""
    rows = await connection.fetch(
        *query(
            "waits/awaited",
            events=columns(Event, events, topic=[topic(e.id, e.context_key) for e in events]),
            after_place=0 if after is None else after.place + 1,
            after_id=FIRST if after is None else after.id,
        )
    )
    return [_awaited(row) for row in rows]


async def standing(connection: "Connection", events: Sequence[Event]) -> Standing:
    """Read what a batch that was judged beforehand is compared with."""
    rows = await connection.fetch(
        *query(
            "waits/standing",
            events=columns(Event, events, topic=[topic(e.id, e.context_key) for e in events]),
        )
    )
    armed = [(row["place"] - 1, row["id"]) for row in rows if row["id"] is not None]
    return Standing(rows[0]["revision"], armed)


async def open_results(connection: "Connection", results: Sequence[StepResult]) -> list[Awaited]:
    """Find the armed waits for results of remote actions; `place` is that of the result."""
    rows = await connection.fetch(*query("waits/open_results", results=results))
    return [
        Awaited(
            place=row["place"] - 1,
            id=row["id"],
            run_id=row["run_id"],
            filter=None,
            run_scope=None,
            path=row["action_path"],
            warning=None,
            automation_id=row["automation_id"],
        )
        for row in rows
    ]


async def fire(
    connection: "Connection",
    waits: Sequence[tuple[UUID, bytes | None]],
    cause: Cause,
    now: datetime,
    kinds: Sequence[WaitKind] = FIRED,
) -> list[Firing]:
    """Fire waits, each with the payload of its event; give those that were armed until now.

    So many at a time that no statement takes long; in the order of their runs, as locks are taken.
    """
    rows = []
    for some in portions(waits, lambda one: len(one[1] or b""), AT_ONCE):
        rows += await connection.fetch(
            *query("waits/fire", given=some, cause=cause, now=now, kinds=kinds)
        )
    return [
        Firing(
            id=row["id"],
            run_id=row["run_id"],
            kind=row["kind"],
            has_key=has_key(row["armed_at"], row["due_at"]),
            owner=row["owner"],
            due_at=row["due_at"],
        )
        for row in rows
    ]


class WaitStore:
    """What wakes need of the store."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store, worker_id
        self._last_queue, self._last_wait = "", FIRST  # where sweeps go on

    async def fire_due(
        self, wait_ids: Sequence[UUID], now: datetime, kinds: Sequence[WaitKind] = FIRED
    ) -> list[Firing]:
        """Fire waits whose time has come, in one commit; what is not armed or not due stays."""
        async with self._store.connection() as connection:
            return await fire(connection, [(one, None) for one in wait_ids], "due", now, kinds)

    async def expiring(self, wait_ids: Sequence[UUID], now: datetime) -> list[Question]:
        """See `wake.due.ArmedWaits`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("waits/expiring", ids=wait_ids, now=now))
        return [
            Question(id=row["id"], event_id=row["event_id"], context_key=row["context_key"],
                     until=row["due_at"])
            if row["kind"] == "event"
            else Question(id=row["id"], event_id=ACTION_DONE, until=row["due_at"],
                          step=f"{row['run_id']}:{row['action_path']}")
            for row in rows
        ]  # fmt: skip

    async def looking_for(self, wait_ids: Sequence[UUID], now: datetime) -> list[Question]:
        """See `control.overdue.OverdueRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("waits/looking_for", ids=wait_ids))
        return [
            Question(id=row["id"], event_id=row["event_id"], context_key=row["context_key"],
                     until=now, below=NEVER)
            for row in rows
        ]  # fmt: skip

    async def parked_for(self, questions: Sequence[Question]) -> dict[UUID, HeldUp]:
        """See `wake.expiry.ExpiryRows`."""
        asked = [(one.id, one.event_id, one.context_key, one.until) for one in questions]
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("expiry/parked_for", questions=asked))
        return {row["id"]: _parked(row) for row in rows}

    async def alive(self, ids: Sequence[UUID]) -> set[UUID]:
        """See `wake.expiry.ExpiryRows`."""
        found = set[UUID]()
        async with self._store.connection() as connection:
            for start in range(0, len(ids), AT_ONCE):
                some = ids[start : start + AT_ONCE]
                rows = await connection.fetch(*query("expiry/alive", ids=some))
                found.update(row["id"] for row in rows)
        return found

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """See `wake.expiry.ExpiryRows`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("waits/warn", warnings=reasons))

    async def park_waits(self, waits: Sequence[Row]) -> None:
        """See `wake.due.ArmedWaits`."""
        await ParkedStore(self._store, self._worker_id).park_waits(waits)

    async def looking(self, after: UUID | None, limit: int) -> list[UUID]:
        """See `pipeline.look_back.LookingRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("recent/left", after=after or FIRST, limit=limit))
        return [row["id"] for row in rows]

    async def known_steps(self, keys: Sequence[StepKey]) -> set[StepKey]:
        """Say which of these steps have been visited, whatever has become of them."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("runs/known_steps", steps=keys))
        return {(row["run_id"], row["action_path"]) for row in rows}

    async def exceeded(self, wait_ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
        """Find the runs whose deadline is among these and is over, each with what to say."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("waits/due_deadlines", ids=wait_ids, now=now))
        return {row["run_id"]: row["waiting_for"] for row in rows}

    async def unheard(self, limit: int) -> list[UUID]:
        """Find runs of this worker that have a fired wait which their walk may not know."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("waits/unheard", worker_id=self._worker_id, limit=limit)
            )
        return [row["id"] for row in rows]

    async def sleepers(self, after: UUID = FIRST) -> list[MirroredWait]:
        """Give a page of all that sleeps and has a key on the bus, by wait id."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("waits/sleepers", after=after, limit=PAGE, key_seconds=KEY_SECONDS)
            )
        return [
            MirroredWait(
                wait_id=row["id"],
                run_id=row["run_id"],
                automation_id=row["automation_id"],
                automation_name=row["automation_name"],
                kind=row["kind"],
                path=row["action_path"],
                waiting_for=row["waiting_for"],
                event=row["event_id"],
                context_key=row["context_key"],
                armed_at=row["armed_at"],
                due_at=row["due_at"],
            )
            for row in rows
        ]

    async def end(
        self,
        run_ids: Sequence[UUID],
        ending: Ending,
        tell: Callable[[Ended], EventRow],
    ) -> list[Ended]:
        """End active runs in one transaction, with the events that `tell` makes of them.

        Queues that they held up go on in the same transaction. Locks: keys, then runs.
        """
        async with self._store.transaction() as connection:
            rows = await connection.fetch(*query("queues/of_runs", run_ids=run_ids))
            queue_keys = [row["gate"] for row in rows]
            await connection.execute(*query("queues/lock", keys=queue_keys))
            ended = await end_runs(connection, run_ids, ending)
            await connection.execute(*query("queues/promote", queue_keys=queue_keys))
            await add_events(connection, [tell(one) for one in ended])
        return ended

    async def promote(self, limit: int) -> int:
        """Let queues go on that nothing holds up any more: after a change of mode, for one.

        Looks at so many queues, and at the next ones the next time.
        """
        async with self._store.transaction() as connection:
            rows = await connection.fetch(
                *query("queues/queued", after=self._last_queue, limit=limit)
            )
            self._last_queue = rows[-1]["gate"] if len(rows) == limit else ""
            queue_keys = [row["gate"] for row in rows if row["moves"]]
            if not queue_keys:
                return 0
            await connection.execute(*query("queues/lock", keys=queue_keys))
            return len(await connection.fetch(*query("queues/promote", queue_keys=queue_keys)))

    async def forget_left(self, limit: int) -> int:
        """Delete waits of runs that are over, of so many; of the next ones the next time."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(
                *query("waits/forget_left", after=self._last_wait, limit=limit)
            )
        if row is None:
            return 0
        self._last_wait = row["last"] if row["looked"] == limit else FIRST
        return int(row["gone"])


async def end_runs(
    connection: "Connection", run_ids: Sequence[UUID], ending: Ending
) -> list[Ended]:
    """End active runs; those that have ended are left as they are, and are not given.

    Held first and then ended, in two statements: see runs/hold. Those whose saved state is gone get
    a row again in between, so that their end is told under a seq of its own.
    """
    (held,) = await connection.fetch(*query("runs/hold", run_ids=run_ids))
    if held["frames"] < held["runs"]:
        await connection.execute(*query("runs/revive_frames", run_ids=run_ids))
    rows = await connection.fetch(
        *query(
            "runs/end",
            run_ids=run_ids,
            status=ending.status,
            reason=ending.reason,
            error=ending.error,
            now=ending.at,
        )
    )
    return [
        Ended(
            run_as_told(row),
            row["last_owner"],
            row["delays"],
            row["awaited"],
            ending,
            has_started=row["started_at"] is not None,
        )
        for row in rows
    ]


def _parked(row: asyncpg.Record) -> HeldUp:
    events, event_id = row["events"], row["event_id"]
    what = f"an event of `{event_id}` is" if events == 1 else f"{events} events of `{event_id}` are"
    reason = f"{what} parked for it, see `lockstep parked list`"
    return HeldUp(reason=reason, events=events, sequence=row["sequence"])


def _awaited(row: asyncpg.Record) -> Awaited:
    """Read an armed wait; one whose scope is damaged says so, and the others are read."""
    scope: JsonObject | None = None
    unread = None
    try:
        scope = None if row["run_scope"] is None else _decode(row["run_scope"])
    except msgspec.DecodeError as error:
        unread = f"the scope of a wait cannot be read: {error}"
    return Awaited(
        place=row["place"] - 1,
        id=row["id"],
        run_id=row["run_id"],
        filter=row["filter"],
        run_scope=scope,
        path=row["action_path"],
        warning=row["warning"],
        automation_id=row["automation_id"],
        follows=row["follows"],
        unread=unread,
        since=None if row["since_time"] is None else (row["since_time"], row["since_sequence"]),
    )
