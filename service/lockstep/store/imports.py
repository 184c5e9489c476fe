"""Subscriptions that could not be imported, in PostgreSQL."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from lockstep.store.parked import shown
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.events import Actor
from lockstep_schemas.migration import MANAGED_BY, ImportFailure

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

PAGE_BYTES: Final = 384 * 1024
"""What a page of failures may hold: escaped, it has to fit into a reply."""


async def begin_import(connection: "Connection", subscription_id: str) -> bool:
    """Hold the import of a subscription until the end of the transaction, and end its failure.

    Returns:
        Whether it has no automation yet.
    """
    mark = MANAGED_BY + subscription_id
    await connection.execute(*query("imports/lock", mark=mark))
    return not await connection.fetchval(
        *query("imports/begin", mark=mark, subscription_id=subscription_id)
    )


class ImportStore:
    """See `control.migration.Imports`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def imported(self, ids: Sequence[str]) -> Set[str]:
        """See `control.migration.Imports`."""
        subscriptions = [(MANAGED_BY + one, one) for one in ids]
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("imports/imported", subscriptions=subscriptions))
        return {row["id"] for row in rows}

    async def keep(self, failure: ImportFailure) -> bool:
        """See `control.migration.Imports`."""
        mark = MANAGED_BY + failure.id
        async with self._store.transaction() as connection:
            await connection.execute(*query("imports/lock", mark=mark))
            kept = await connection.fetchval(
                *query(
                    "imports/keep_failure",
                    mark=mark,
                    subscription_id=failure.id,
                    name=failure.name,
                    provider=failure.provider,
                    event=failure.event,
                    reason=failure.reason,
                    detail=failure.detail,
                    config=msgspec.json.encode(failure.config),
                    now=failure.failed_at,
                )
            )
        return kept is not None

    async def failures(self, limit: int, offset: int) -> tuple[list[ImportFailure], int]:
        """See `control.migration.Imports`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("imports/list_failures", limit=limit, offset=offset, page_bytes=PAGE_BYTES)
            )
            total = await connection.fetchval(*query("imports/count_failures"))
        return [_failure(row) for row in rows], total

    async def acknowledge(self, subscription_id: str, actor: Actor | None) -> bool:
        """See `control.migration.Imports`."""
        who = None if actor is None else msgspec.json.encode(actor).decode()
        async with self._store.connection() as connection:
            acknowledged = await connection.fetchval(
                *query("imports/acknowledge", subscription_id=subscription_id, actor=who)
            )
        return acknowledged is not None


def _failure(row: asyncpg.Record) -> ImportFailure:
    return ImportFailure(
        id=row["subscription_id"],
        name=row["name"],
        provider=row["provider"],
        event=row["event"],
        reason=row["reason"],
        detail=row["detail"],
        config=shown(row["config"], msgspec.json.decode),
        failed_at=row["failed_at"],
    )
