"""Events that waits look back on, and the waits that do; under the locks of their topics.

Whoever handles events shares their topics, whoever arms a wait has them alone. So an event that is
handled meanwhile is kept before the wait looks, or finds it armed: never neither.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.events import Event
from lockstep.model.waits import LAST, Awaited, Looking, Rank, RecentRow, Taken, place_of, topic
from lockstep.store.bodies import portions
from lockstep.store.queries import columns, query
from lockstep_schemas.events import Actor

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

EVER: Final = datetime.max.replace(tzinfo=UTC)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_actor = msgspec.json.Decoder(Actor).decode


async def lock_topics(connection: "Connection", topics: Sequence[bytes], *, alone: bool) -> None:
    """Lock topics to the end of the transaction: shared to handle events, alone to arm waits."""
    name = "recent/lock_arming" if alone else "recent/lock_handling"
    await connection.execute(*query(name, topics=topics))


async def keep(connection: "Connection", events: Sequence[Event], now: datetime) -> None:
    """Keep events that some wait may look back on."""
    for some in portions(events, lambda one: one.size):
        await connection.execute(
            *query(
                "recent/keep",
                events=columns(
                    Event,
                    some,
                    topic=[topic(one.id, one.context_key) for one in some],
                    actor=[_encode(one.actor) for one in some],
                ),
                now=now,
            )
        )


async def looking(connection: "Connection", ids: Sequence[UUID]) -> list[Looking]:
    """Read those of these waits that have not looked back yet."""
    return [_looking(row) for row in await connection.fetch(*query("recent/looking", ids=ids))]


async def behind(
    connection: "Connection", look: Looking, after: tuple[Rank, int]
) -> list[tuple[RecentRow, Event]]:
    """Read the next events that a wait may look back on, behind a rank and a position."""
    (time, sequence), position = after
    rows = await connection.fetch(
        *query(
            "recent/events",
            topic=look.topic,
            event_id=look.event_id,
            context_key=look.context_key,
            run_id=look.wait.run_id,
            place=place_of(look.wait.path),
            after_time=time,
            after_sequence=sequence,
            after_position=position,
            until=look.due_at or EVER,
        )
    )
    return [_event(row, look) for row in rows]


async def seen(
    connection: "Connection", looks: Sequence[tuple[Looking, Rank, Rank | None]]
) -> Mapping[UUID, Sequence[RecentRow]]:
    """Give the rows that waits may look back on: behind a rank, up to another or their deadline."""
    found: dict[UUID, list[RecentRow]] = {look.wait.id: [] for look, _, _ in looks}
    ends = [until or (look.due_at or EVER, LAST) for look, _, until in looks]
    rows = await connection.fetch(
        *query(
            "recent/seen",
            looks={
                "id": [look.wait.id for look, _, _ in looks],
                "topic": [look.topic for look, _, _ in looks],
                "event_id": [look.event_id for look, _, _ in looks],
                "context_key": [look.context_key for look, _, _ in looks],
                "run_id": [look.wait.run_id for look, _, _ in looks],
                "place": [place_of(look.wait.path) for look, _, _ in looks],
                "since_time": [since[0] for _, since, _ in looks],
                "since_sequence": [since[1] for _, since, _ in looks],
                "until_time": [end[0] for end in ends],
                "until_sequence": [end[1] for end in ends],
            },
        )
    )
    for row in rows:
        found[row["id"]].append(RecentRow(row["position"], (row["time"], row["sequence"])))
    return found


async def arm(connection: "Connection", looks: Sequence[tuple[UUID, Rank]]) -> None:
    """Arm waits that have looked back; their runs are held."""
    await connection.execute(
        *query("recent/arm", looks=[(wait_id, *since) for wait_id, since in looks])
    )


async def look_again(connection: "Connection", looks: Mapping[UUID, Rank]) -> None:
    """Let armed waits look back once more; their runs are held."""
    found = [(wait_id, *rank) for wait_id, rank in looks.items()]
    await connection.execute(*query("recent/look_again", looks=found))


async def take(connection: "Connection", taken: Sequence[Taken]) -> None:
    """Note which events have ended the waits of which actions."""
    await connection.execute(*query("recent/take", taken=columns(Taken, taken)))


def _looking(row: asyncpg.Record) -> Looking:
    scope = unread = None
    try:
        scope = None if row["run_scope"] is None else _decode(row["run_scope"])
    except msgspec.DecodeError as error:
        unread = f"the scope of a wait cannot be read: {error}"
    wait = Awaited(
        place=0,
        id=row["id"],
        run_id=row["run_id"],
        filter=row["filter"],
        run_scope=scope,
        path=row["action_path"],
        warning=row["warning"],
        automation_id=row["automation_id"],
        unread=unread,
    )
    dropped, came = row["dropped_time"], row["since_time"]
    return Looking(
        wait,
        row["topic"],
        row["event_id"],
        row["context_key"],
        (row["trigger_time"], row["rank_sequence"]),
        row["due_at"],
        row["look_back"],
        None if dropped is None else (dropped, row["dropped_sequence"]),
        row["is_kept"],
        None if came is None else (came, row["since_sequence"]),
    )


def _event(row: asyncpg.Record, look: Looking) -> tuple[RecentRow, Event]:
    event = Event(
        id=look.event_id,
        payload=_decode(row["body"]),
        body=row["body"],
        delivery=row["delivery"],
        message_id=row["message_id"],
        context_key=look.context_key,
        actor=_actor(row["actor"]),
        hop=row["hop"],
        time=row["time"],
        sequence=row["sequence"],
    )
    return RecentRow(row["position"], (event.time, event.sequence)), event
