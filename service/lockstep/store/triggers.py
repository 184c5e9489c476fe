"""Triggers in PostgreSQL: what windows have counted, holds and schedules, and why not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, get_args
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.decisions import Counter, Decision, Occurrences, digest
from lockstep.model.events import Event
from lockstep.model.parked import Row
from lockstep.model.timers import (
    ArmedHold,
    DisarmedHold,
    EndedHold,
    HeldEvents,
    Hold,
    HoldChanges,
    Holder,
    HoldEvent,
    KeptEvent,
    OldHolder,
    StoredTimer,
)
from lockstep.model.waits import Rank, TimerKind
from lockstep.store.bodies import portions
from lockstep.store.parked import readable, shown
from lockstep.store.pool import Store
from lockstep.store.queries import Columns, columns, query
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


FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)  # no event is from before it

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


async def held_events(
    connection: "Connection", holders: Sequence[Holder]
) -> Mapping[Holder, HeldEvents]:
    """See `ports.matching.MatchingTransaction`."""
    rows = await connection.fetch(*query("holds/known", holders=_holders(holders)))
    holds: dict[int, ArmedHold] = {}
    events: dict[int, list[HoldEvent]] = {}
    for row in rows:
        place = row["place"] - 1
        time, sequence = row["time"], row["sequence"]
        if time is None:
            time, sequence = _armed_by(row["event"], row["armed_at"])
        event = HoldEvent(time=time, sequence=sequence, due_at=row["due_at"], size=row["size"])
        if row["id"] is None:
            events.setdefault(place, []).append(event)
        else:
            holds[place] = ArmedHold(row["id"], event)
    return {
        holders[place]: HeldEvents(holds.get(place), events.get(place, ()))
        for place in holds.keys() | events.keys()
    }


def _armed_by(stored: bytes | None, armed_at: datetime) -> Rank:
    """Say where the event of a hold stands that older code has armed; as armed, if unreadable."""
    try:
        event = _stored(stored or b"")
    except msgspec.MsgspecError:
        return armed_at, 0
    return event.time, event.sequence


async def change_holds(connection: "Connection", changes: HoldChanges) -> None:
    """See `ports.matching.MatchingTransaction`."""
    if changes.dropped:
        await _drop(connection, changes.dropped)
    kept = list(portions(changes.kept, lambda one: one.what.size)) or [()]
    for number, some in enumerate(kept):
        ended = [] if number else changes.ended
        if some or ended:
            await _keep(connection, ended, some)
    new = [hold for hold in changes.armed if hold.event is not None]
    for holds in portions(new, lambda one: one.event.size if one.event else 0):
        await _arm(connection, holds)
    by_kept = [hold for hold in changes.armed if hold.event is None]
    if by_kept:
        await _arm_kept(connection, by_kept)


def _holders(holders: Sequence[Holder]) -> Columns:
    return columns(Holder, holders, topic=[digest(one.context_key) for one in holders])


async def _drop(connection: "Connection", dropped: Sequence[tuple[Holder, HoldEvent]]) -> None:
    holders = [holder for holder, _ in dropped]
    dropped_events = columns(
        HoldEvent,
        [event for _, event in dropped],
        automation_id=[one.automation_id for one in holders],
        trigger_id=[one.trigger_id for one in holders],
        topic=[digest(one.context_key) for one in holders],
    )
    await connection.execute(*query("holds/drop", events=dropped_events))


async def _keep(
    connection: "Connection", ended: Sequence[EndedHold], kept: Sequence[KeptEvent]
) -> None:
    holders = [one.holder for one in kept]
    kept_events = columns(
        HoldEvent,
        [one.what for one in kept],
        automation_id=[one.automation_id for one in holders],
        trigger_id=[one.trigger_id for one in holders],
        topic=[digest(one.context_key) for one in holders],
        context_key=[one.context_key for one in holders],
        event=[None if one.event is None else _event(one.event) for one in kept],
    )
    over = [(one.hold.id, *one.hold.by.rank, one.waits) for one in ended]
    await connection.execute(*query("holds/keep", ended=over, events=kept_events))


async def _arm(connection: "Connection", armed: Sequence[Hold]) -> None:
    holders = [one.holder for one in armed]
    armed_holds = columns(
        Hold,
        armed,
        automation_id=[one.automation_id for one in holders],
        trigger_id=[one.trigger_id for one in holders],
        topic=[digest(one.context_key) for one in holders],
        context_key=[one.context_key for one in holders],
        event=[None if one.event is None else _event(one.event) for one in armed],
        time=[one.by[0] for one in armed],
        sequence=[one.by[1] for one in armed],
    )
    await connection.execute(*query("timers/arm_holds", holds=armed_holds))


async def _arm_kept(connection: "Connection", armed: Sequence[Hold]) -> None:
    holders = [one.holder for one in armed]
    following_holds = columns(
        Hold,
        armed,
        automation_id=[one.automation_id for one in holders],
        trigger_id=[one.trigger_id for one in holders],
        topic=[digest(one.context_key) for one in holders],
        time=[one.by[0] for one in armed],
        sequence=[one.by[1] for one in armed],
    )
    await connection.execute(*query("holds/arm_kept", holds=following_holds))


async def keep_holds(
    connection: "Connection", automation_id: str, trigger_ids: Sequence[str]
) -> list[DisarmedHold]:
    """See `control.automations.AutomationChange`."""
    rows = await connection.fetch(
        *query("timers/drop_holds_of", automation_id=automation_id, kept=trigger_ids)
    )
    return [DisarmedHold(row["id"], row["trigger_id"], shown(row["event"], _read)) for row in rows]


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


class HoldStore:
    """Finds what is kept for holders and may have become needless."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def old(
        self, before: datetime, after: OldHolder | None, limit: int
    ) -> Sequence[OldHolder]:
        """See `pipeline.hold_upkeep.OldHolders`."""
        last = after or OldHolder(FIRST, Holder("", "", None))
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "holds/old",
                    before=before,
                    after=last.time,
                    automation_id=last.holder.automation_id,
                    trigger_id=last.holder.trigger_id,
                    topic=digest(last.holder.context_key) if after else b"",
                    limit=limit,
                )
            )
        return [
            OldHolder(
                row["time"], Holder(row["automation_id"], row["trigger_id"], row["context_key"])
            )
            for row in rows
        ]


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
