"""Triggers in PostgreSQL: what windows have counted, holds and schedules, and why not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.decisions import Counter, Decision, Occurrences, digest
from lockstep.model.events import Event
from lockstep.model.parked import Row
from lockstep.model.timers import ArmedHold, Hold, Holder, StoredTimer
from lockstep.model.waits import TimerKind
from lockstep.store.bodies import portions
from lockstep.store.parked import readable
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query
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


async def occurrences(
    connection: "Connection", counters: Sequence[Counter]
) -> Mapping[Counter, Sequence[datetime]]:
    """Read the last occurrences of counters."""
    rows = await connection.fetch(
        *query("triggers/occurrences", counters=columns(Counter, counters))
    )
    return {
        Counter(row["automation_id"], row["trigger_id"], row["partition"]): row["moments"]
        for row in rows
    }


async def keep_occurrences(connection: "Connection", changed: Sequence[Occurrences]) -> None:
    """See `ports.matching.MatchingTransaction`."""
    kept = [
        query(
            "triggers/keep_occurrences",
            automation_id=one.counter.automation_id,
            trigger_id=one.counter.trigger_id,
            partition=one.counter.partition,
            moments=one.times,
            expires_at=one.expires_at,
        )
        for one in changed
    ]
    if kept:
        await connection.executemany(kept[0][0], [values for _, *values in kept])


async def armed_holds(
    connection: "Connection", holders: Sequence[Holder]
) -> Mapping[Holder, ArmedHold]:
    """Find the holds that are armed."""
    wanted = list(set(holders))
    topics = [digest(one.context_key) for one in wanted]
    rows = await connection.fetch(
        *query("timers/armed_holds", holders=columns(Holder, wanted, topic=topics))
    )
    return {
        Holder(row["automation_id"], row["trigger_id"], row["context_key"]): ArmedHold(
            row["id"], row["due_at"]
        )
        for row in rows
    }


async def change_holds(
    connection: "Connection", armed: Sequence[Hold], gone: Sequence[UUID]
) -> None:
    """See `ports.matching.MatchingTransaction`."""
    if gone:
        await connection.execute(*query("timers/drop", ids=gone))
    for some in portions(armed, lambda hold: len(hold.event.body)):
        holders = [hold.holder for hold in some]
        holds = columns(
            Hold,
            some,
            automation_id=[holder.automation_id for holder in holders],
            trigger_id=[holder.trigger_id for holder in holders],
            topic=[digest(holder.context_key) for holder in holders],
            context_key=[holder.context_key for holder in holders],
            event=[_event(hold.event) for hold in some],
        )
        await connection.execute(*query("timers/arm_holds", holds=holds))


async def timers(
    connection: "Connection", ids: Sequence[UUID]
) -> tuple[list[StoredTimer], list[Row]]:
    """Read timers, to be judged; and those that cannot be read, each with the reason."""
    rows = await connection.fetch(*query("timers/read", ids=ids))
    found, refused = readable(rows, _timer)
    return found, [(row["id"], reason) for row, reason in refused]


class DecisionStore:
    """Keeps why events started nothing, and forgets what nobody asks for any more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_decisions(self, judged: Sequence[Decision], at: datetime) -> None:
        """Keep why events started nothing."""
        refused = columns(
            Decision,
            judged,
            delivery=[one.event.delivery for one in judged],
            event_id=[one.event.id for one in judged],
            message_id=[one.event.message_id for one in judged],
        )
        async with self._store.connection() as connection:
            await connection.execute(*query("decisions/add", refused=refused, judged_at=at))

    async def forget(self, decisions: int, rows: int) -> bool:
        """Keep so many decisions; drop so many others at once, and say whether there are more."""
        async with self._store.connection() as connection:
            done = await connection.execute(*query("decisions/forget", kept=decisions, limit=rows))
        return _rows(done) >= rows

    async def forget_occurrences(self, before: datetime, rows: int) -> bool:
        """Drop counters of before a time, so many at once; say whether there may be more."""
        async with self._store.connection() as connection:
            done = await connection.execute(
                *query("triggers/forget_occurrences", before=before, limit=rows)
            )
        return _rows(done) >= rows


def _rows(done: str) -> int:
    """Read how many rows a statement was about: `DELETE 5`."""
    return int(done.rpartition(" ")[2])


def _event(event: Event) -> bytes:
    kept = StoredEvent(**{name: getattr(event, name) for name in StoredEvent.__struct_fields__})
    return _encode(kept)


def _timer(row: asyncpg.Record) -> StoredTimer:
    kind = row["kind"]
    if kind not in get_args(TimerKind):
        raise ValueError(f"a timer of kind '{kind}', which this version does not know")
    return StoredTimer(
        id=row["id"],
        kind=kind,
        automation_id=row["automation_id"],
        trigger_id=row["trigger_id"],
        event=None if row["event"] is None else _read(row["event"]),
        schedule=row["schedule"],
        last_value=row["last_value"],
        due_at=row["due_at"],
    )


def _read(text: bytes) -> Event:
    kept = _stored(text)
    fields = {name: getattr(kept, name) for name in StoredEvent.__struct_fields__}
    return Event(**fields, body=_encode(kept.payload))
