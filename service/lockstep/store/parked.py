"""Parked rows in PostgreSQL: put aside by one worker, tried by others."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog

from lockstep import __version__
from lockstep.model.ids import uuid7
from lockstep.model.outbox import EventRow
from lockstep.model.parked import ParkedEvent, Row, StoredMessage, StoredParkedEvent, why
from lockstep.model.texts import some_of
from lockstep.model.waits import Due
from lockstep.store.bodies import SHARED_BYTES, keep, portions
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

# What reading a value raises; a connection that breaks meanwhile is none of it.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, TypeError, LookupError, RecursionError)

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode
_headers = msgspec.json.Decoder(dict[str, str]).decode

Read = TypeVar("Read")
Text = TypeVar("Text", bytes, str)


def readable(
    rows: Sequence[asyncpg.Record], read: Callable[[asyncpg.Record], Read]
) -> tuple[list[Read], list[tuple[asyncpg.Record, str]]]:
    """Read rows one by one; give those that can be read, and the others each with the reason."""
    found, refused = list[Read](), list[tuple[asyncpg.Record, str]]()
    for row in rows:
        try:
            found.append(read(row))
        except UNREADABLE as error:
            refused.append((row, why(error)))
    return found, refused


def shown(text: Text | None, read: Callable[[Text], Read]) -> Read | None:
    """Read a value for people; what cannot be read is left out, so that they see the rest."""
    try:
        return None if text is None else read(text)
    except UNREADABLE:
        return None


async def park_runs(
    connection: "Connection", worker_id: UUID, runs: Sequence[tuple[UUID, int, str]]
) -> None:
    """Put runs of this worker aside, each in its epoch and with the reason."""
    if runs:
        rows = await connection.fetch(
            *query("parked/runs", runs=runs, version=__version__, worker_id=worker_id)
        )
        for row in rows:
            log.warning(
                "row.parked", kind="run", run_id=str(row["id"]),
                automation_id=row["automation_id"], reason=row["parked_reason"],
            )  # fmt: skip


async def park_timers(connection: "Connection", worker_id: UUID, timers: Sequence[Row]) -> None:
    """Put timers aside, each with the reason."""
    if timers:
        await connection.execute(
            *query("parked/timers", timers=timers, version=__version__, worker_id=worker_id)
        )
        for timer_id, reason in timers:
            log.warning("row.parked", kind="timer", timer_id=str(timer_id), reason=reason)


class _ParkedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a parked event; its body is empty where `body_id` says which it is."""

    id: UUID
    delivery: str
    automation_id: str
    wait_id: UUID | None
    event_id: str
    subject: str
    headers: bytes
    body: bytes
    body_id: UUID | None
    time: datetime
    context_key: str | None
    reason: str


async def park_events(
    connection: "Connection", worker_id: UUID, events: Sequence[ParkedEvent]
) -> None:
    """Keep events for those who could not be asked about them; a large body once for them all."""
    kept = [
        (one, message)
        for one in sorted(events, key=lambda one: one.automation_id)  # as they are locked
        if (message := one.event.message) is not None
    ]
    uses = Counter(one.event.delivery for one, _ in kept)
    shared = {
        one.event.delivery: (uuid7(), message.data)
        for one, message in kept
        if uses[one.event.delivery] > 1 and len(message.data) > SHARED_BYTES
    }
    await keep(connection, [*shared.values()])
    rows = [
        _ParkedRow(
            id=uuid7(),
            delivery=one.event.delivery,
            automation_id=one.automation_id,
            wait_id=one.wait_id,
            event_id=one.event.id,
            subject=message.subject,
            headers=_encode(message.headers),
            body=b"" if one.event.delivery in shared else message.data,
            body_id=shared[one.event.delivery][0] if one.event.delivery in shared else None,
            time=one.event.time,
            context_key=one.event.context_key,
            reason=one.reason,
        )
        for one, message in kept
    ]
    for some in portions(rows, lambda row: len(row.headers) + len(row.body)):
        given = columns(_ParkedRow, some)
        await connection.execute(
            *query("parked/events", events=given, version=__version__, worker_id=worker_id)
        )
    if rows:
        log.warning(
            "row.parked", kind="event", number=len(rows),
            automation_ids=some_of(row.automation_id for row in rows),
            event_ids=some_of(row.event_id for row in rows), reason=rows[0].reason,
        )  # fmt: skip


async def drop_events(connection: "Connection", ids: Sequence[UUID]) -> list[UUID]:
    """Take away parked events that were judged."""
    rows = await connection.fetch(*query("parked/drop_events", ids=ids))
    return [row["id"] for row in rows]


class ParkedStore:
    """What one worker parks, and tries of what others have parked."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store, worker_id

    async def park_waits(self, waits: Sequence[Row]) -> None:
        """See `wake.due.ArmedWaits`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("parked/waits", waits=waits, **self._by()))
        for wait_id, reason in waits:
            log.warning("row.parked", kind="wait", wait_id=str(wait_id), reason=reason)

    async def park_timers(self, timers: Sequence[Row]) -> None:
        """Put timers aside that cannot be judged, each with the reason."""
        async with self._store.connection() as connection:
            await park_timers(connection, self._worker_id, timers)

    async def park_outbox(self, row: EventRow, reason: str) -> None:
        """Put a run event aside that the bus refuses for what it is."""
        async with self._store.connection() as connection:
            await connection.execute(
                *query("parked/outbox", topic=row.topic, seq=row.seq, reason=reason, **self._by())
            )
        log.warning("row.parked", kind="outbox", message_id=row.message_id, reason=reason)

    async def park_setup(self, automation_id: str, trigger_id: str, reason: str) -> None:
        """See `pipeline.setups.SetupLeases`."""
        async with self._store.connection() as connection:
            await connection.execute(
                *query(
                    "parked/setup",
                    automation_id=automation_id,
                    trigger_id=trigger_id,
                    reason=reason,
                    **self._by(),
                )
            )
        log.warning(
            "row.parked", kind="setup", automation_id=automation_id, trigger_id=trigger_id,
            reason=reason,
        )  # fmt: skip

    async def release_waits(self, limit: int) -> list[Due]:
        """See `replicas.parked.ParkedRows`."""
        return await self._released("waits", limit)

    async def release_timers(self, limit: int) -> list[Due]:
        """See `replicas.parked.ParkedRows`."""
        return await self._released("timers", limit)

    async def release_outbox(self, limit: int) -> list[str]:
        """See `replicas.parked.ParkedRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("parked/release_outbox", limit=limit, worker_id=self._worker_id)
            )
        return [row["topic"] for row in rows]

    async def note_automations(self, unreadable: Mapping[str, str]) -> None:
        """See `replicas.parked.ParkedRows`."""
        async with self._store.connection() as connection:
            await connection.execute(
                *query("parked/note_automations", automations=[*unreadable.items()], **self._by())
            )

    async def forget_trials(self) -> None:
        """See `replicas.parked.ParkedRows`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("parked/forget_trials", worker_id=self._worker_id))

    async def old_events(self, hours: float, limit: int) -> list[UUID]:
        """See `pipeline.parked_events.ParkedEventRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("parked/old_events", hours=hours, limit=limit))
        return [row["id"] for row in rows]

    async def untried_events(self, limit: int) -> list[UUID]:
        """See `pipeline.parked_events.ParkedEventRows`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("parked/untried_events", worker_id=self._worker_id, limit=limit)
            )
        return [row["id"] for row in rows]

    async def event(self, event_id: UUID) -> StoredParkedEvent | None:
        """See `pipeline.parked_events.ParkedEventRows`."""
        row = await self._event(event_id)
        return None if row is None else stored_event(row)

    async def event_to_bury(self, event_id: UUID) -> StoredParkedEvent | None:
        """See `pipeline.parked_events.ParkedEventRows`."""
        row = await self._event(event_id)
        return None if row is None else event_to_bury(row)

    async def forget_events(self, limit: int) -> int:
        """See `pipeline.parked_events.ParkedEventRows`."""
        async with self._store.connection() as connection:
            return len(await connection.fetch(*query("parked/forget_events", limit=limit)))

    async def keep_events(self, events: Sequence[Row]) -> None:
        """See `pipeline.parked_events.ParkedEventRows`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("parked/keep_events", events=events, **self._by()))

    async def drop_event(self, event_id: UUID) -> None:
        """See `pipeline.parked_events.ParkedEventRows`."""
        async with self._store.connection() as connection:
            await drop_events(connection, [event_id])

    async def _event(self, event_id: UUID) -> asyncpg.Record | None:
        async with self._store.connection() as connection:
            return await connection.fetchrow(*query("parked/event", id=event_id))

    async def _released(self, what: str, limit: int) -> list[Due]:
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(f"parked/release_{what}", limit=limit, worker_id=self._worker_id)
            )
        return [Due(row["id"], row["kind"], row["due_at"]) for row in rows]

    def _by(self) -> dict[str, object]:
        return {"version": __version__, "worker_id": self._worker_id}


def stored_event(row: asyncpg.Record) -> StoredParkedEvent:
    """Read a parked event with its message; raises one of `UNREADABLE`."""
    if row["body"] is None:
        raise ValueError("its body is lost")
    stream, sequence, stored_at_ns = row["delivery"].rsplit(":", 2)
    return _stored(row, _headers(row["headers"]), (stream, int(sequence), int(stored_at_ns)))


def event_to_bury(row: asyncpg.Record) -> StoredParkedEvent:
    """Read a parked event for a dead letter: what of it cannot be read is left out."""
    try:
        return stored_event(row)
    except UNREADABLE:
        return _stored(row, shown(row["headers"], _headers) or {}, (row["delivery"], 0, 0))


def _stored(
    row: asyncpg.Record, headers: Mapping[str, str], place: tuple[str, int, int]
) -> StoredParkedEvent:
    stream, sequence, stored_at_ns = place
    message = StoredMessage(
        subject=row["subject"],
        data=row["body"] or b"",
        headers=headers,
        stream=stream,
        sequence=sequence,
        stored_at_ns=stored_at_ns,
    )
    return StoredParkedEvent(
        id=row["id"],
        message=message,
        automation_id=row["automation_id"],
        wait_id=row["wait_id"],
        reason=row["parked_reason"],
        time=row["time"],
    )
