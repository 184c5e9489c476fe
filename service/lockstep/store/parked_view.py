"""What is parked, for people: listed, shown, tried again, discarded."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.outbox import EventRow
from lockstep.model.parked import ParkedId, StoredParkedEvent
from lockstep.store.parked import drop_events, event_to_bury
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.base import Json
from lockstep_schemas.parked import Parked, ParkedList

SHOWN_CHARACTERS: Final = 4000  # of a value of a row: all of it has to fit into a reply
NOTHING: Final = UUID(int=0)

_row = msgspec.json.Decoder(dict[str, Json]).decode


class ParkedView:
    """See `control.parked.ParkedForPeople`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(
        self, wanted: ParkedList, after: tuple[datetime, str] | None
    ) -> tuple[list[Parked], int]:
        """See `control.parked.ParkedForPeople`."""
        where = {"kind": wanted.kind, "automation_id": wanted.automation_id}
        at, last = after or (None, None)
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("parked/list", **where, after=at, after_id=last, limit=wanted.limit)
            )
            total = await connection.fetchval(*query("parked/count", **where))
        return [_shown(row) for row in rows], int(total)

    async def get(self, one: ParkedId) -> tuple[Parked, Mapping[str, Json]] | None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            shown = await connection.fetchrow(*query("parked/get", id=one.text))
            text = await connection.fetchval(
                *query(
                    "parked/row",
                    kind=one.kind,
                    row_id=one.row_id,
                    topic=one.topic,
                    seq=one.seq,
                    automation_id=one.automation_id,
                    trigger_id=one.trigger_id,
                )
            )
        if shown is None or text is None:
            return None
        row = {name: _legible(value) for name, value in _row(text).items() if value is not None}
        return _shown(shown), row

    async def retry(self, ids: Sequence[ParkedId]) -> set[str]:
        """See `control.parked.ParkedForPeople`."""
        rows_of = {
            f"{kind}s": [one.row_id for one in ids if one.kind == kind]
            for kind in ("run", "wait", "timer", "event")
        }
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "parked/retry",
                    **rows_of,
                    automations=[one.automation_id for one in ids if one.kind == "automation"],
                    setups=[
                        (one.automation_id, one.trigger_id) for one in ids if one.kind == "setup"
                    ],
                    named=[(one.topic, one.seq) for one in ids if one.kind == "outbox"],
                )
            )
        return {row["id"] for row in rows}

    async def drop_timer(self, timer_id: UUID) -> bool:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            gone = await connection.fetchval(*query("parked/drop_timer", id=timer_id))
        return gone is not None

    async def run_of_wait(self, wait_id: UUID) -> tuple[UUID, str] | None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("parked/wait_run", id=wait_id))
        return None if row is None else (row["run_id"], row["waiting_for"])

    async def event(self, event_id: UUID) -> StoredParkedEvent | None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("parked/event", id=event_id))
        return None if row is None else event_to_bury(row)

    async def drop_event(self, event_id: UUID) -> None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            await drop_events(connection, [event_id])

    async def outbox_row(self, topic: str, seq: int) -> EventRow | None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("parked/outbox_row", topic=topic, seq=seq))
        return None if row is None else EventRow(*row)

    async def replace(self, row: EventRow) -> None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            await connection.execute(
                *query(
                    "parked/replace_outbox",
                    topic=row.topic,
                    seq=row.seq,
                    subject=row.subject,
                    body=row.body,
                )
            )

    async def drop_outbox(self, row: EventRow) -> None:
        """See `control.parked.ParkedForPeople`."""
        async with self._store.connection() as connection:
            await connection.execute(*query("parked/drop_outbox", topic=row.topic, seq=row.seq))


def _shown(row: asyncpg.Record) -> Parked:
    run_id = row["run_id"]
    return Parked(
        id=row["id"],
        kind=row["kind"],
        automation_id=row["automation_id"],
        run_id=None if run_id is None else str(run_id),
        event=row["event_id"],
        reason=row["parked_reason"],
        version=row["parked_version"],
        parked_at=row["parked_at"],
    )


def _legible(value: Json) -> Json:
    """Give bytes, which are in hex, as the text that they mostly are; cut what is long."""
    if not isinstance(value, str):
        return value
    if value.startswith("\\x"):
        with suppress(ValueError):  # a text that only looks like it
            value = bytes.fromhex(value[2:]).decode("utf-8", "backslashreplace")
    return value if len(value) <= SHOWN_CHARACTERS else f"{value[: SHOWN_CHARACTERS - 1]}…"
