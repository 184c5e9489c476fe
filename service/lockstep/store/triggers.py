"""Triggers in PostgreSQL: what windows have counted, holds and schedules, and why not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from lockstep.model.matches import (
    Counter,
    Hold,
    Holder,
    Judgement,
    Moments,
    StoredTimer,
    digest,
)
from lockstep.model.runs import Event
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
from lockstep.store.runs import columns
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import Actor

if TYPE_CHECKING:
    from lockstep.store.pool import Connection


class StoredEvent(msgspec.Struct, kw_only=True):
    """An event that a hold keeps until its time."""

    id: str
    payload: JsonObject
    delivery: str
    message_id: str | None
    context_key: str | None
    actor: Actor
    hop: int
    time: datetime
    sequence: int
    traceparent: str | None = None


_encode = msgspec.json.Encoder().encode
_stored = msgspec.json.Decoder(StoredEvent).decode


async def moments(
    connection: "Connection", counters: Sequence[Counter]
) -> Mapping[Counter, Sequence[datetime]]:
    """Read the last occurrences of counters."""
    keys = [(one.automation_id, one.trigger_id, one.partition) for one in counters]
    rows = await connection.fetch(QUERIES["moments"], *columns(keys, 3))
    return {
        Counter(row["automation_id"], row["trigger_id"], row["partition"]): row["moments"]
        for row in rows
    }


async def keep_moments(connection: "Connection", changed: Sequence[Moments]) -> None:
    """Keep the last occurrences of counters, which are locked."""
    rows = [
        (
            one.counter.automation_id, one.counter.trigger_id, one.counter.partition, one.moments,
            one.expires_at,
        )
        for one in changed
    ]  # fmt: skip
    await connection.executemany(QUERIES["keep_moments"], rows)


async def armed_holds(connection: "Connection", holders: Sequence[Holder]) -> Mapping[Holder, UUID]:
    """Find the holds that are armed."""
    keys = [(one.automation_id, one.trigger_id, digest(one.context_key)) for one in set(holders)]
    rows = await connection.fetch(QUERIES["armed_holds"], *columns(keys, 3))
    return {
        Holder(row["automation_id"], row["trigger_id"], row["context_key"]): row["id"]
        for row in rows
    }


async def change_holds(
    connection: "Connection", armed: Sequence[Hold], gone: Sequence[UUID]
) -> None:
    """Disarm holds, and arm others; all of them are locked."""
    if gone:
        await connection.execute(QUERIES["drop_timers"], gone)
    if armed:
        rows = [
            (
                hold.id, hold.holder.automation_id, hold.holder.trigger_id,
                digest(hold.holder.context_key), hold.holder.context_key, _event(hold.event),
                hold.armed_at, hold.due_at,
            )
            for hold in armed
        ]  # fmt: skip
        await connection.execute(QUERIES["arm_holds"], *columns(rows, 8))


async def timers(connection: "Connection", ids: Sequence[UUID]) -> list[StoredTimer]:
    """Read timers, to be judged."""
    rows = await connection.fetch(QUERIES["timers_by_id"], ids)
    return [
        StoredTimer(
            id=row["id"],
            kind=row["kind"],
            automation_id=row["automation_id"],
            trigger_id=row["trigger_id"],
            event=None if row["event"] is None else _read(row["event"]),
            schedule=row["schedule"],
            last_value=row["last_value"],
            due_at=row["due_at"],
        )
        for row in rows
    ]


class JudgementStore:
    """Keeps why events started nothing, and forgets what nobody asks for any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_judgements(self, judged: Sequence[Judgement], at: datetime) -> None:
        """Keep why events started nothing."""
        rows = [
            (
                j.event.delivery, j.event.id, j.event.message_id, j.automation_id, j.trigger_id,
                j.gate, j.detail, at,
            )
            for j in judged
        ]  # fmt: skip
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["add_judgements"], *columns(rows, 8))

    async def forget(self, judgements: int, before: datetime, rows: int) -> None:
        """Keep so many judgements; drop counters of before a time, so many at once."""
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["forget_judgements"], judgements)
            await connection.execute(QUERIES["forget_occurrences"], before, rows)


def _event(event: Event) -> bytes:
    kept = StoredEvent(**{name: getattr(event, name) for name in StoredEvent.__struct_fields__})
    return _encode(kept)


def _read(text: bytes) -> Event:
    kept = _stored(text)
    fields = {name: getattr(kept, name) for name in StoredEvent.__struct_fields__}
    return Event(**fields, body=_encode(kept.payload))
