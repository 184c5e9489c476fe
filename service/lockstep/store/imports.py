"""Subscriptions that could not be imported, in PostgreSQL."""

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
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
    await connection.execute(QUERIES["lock_import"], mark)
    return not await connection.fetchval(QUERIES["begin_import"], mark, subscription_id)


class ImportStore:
    """See `control.migration.Imports`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def imported(self, ids: Sequence[str]) -> Set[str]:
        """Say which subscriptions have their automation; they have no failure any more."""
        marks = [MANAGED_BY + one for one in ids]
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["imported"], marks, ids)
        return {row["id"] for row in rows}

    async def keep(self, failure: ImportFailure) -> bool:
        """Keep a failure in the place of the one before; false where there is an automation."""
        mark = MANAGED_BY + failure.id
        async with self._store.transaction() as connection:
            await connection.execute(QUERIES["lock_import"], mark)
            kept = await connection.fetchval(
                QUERIES["keep_failure"],
                mark,
                failure.id,
                failure.name,
                failure.provider,
                failure.event,
                failure.reason,
                failure.detail,
                msgspec.json.encode(failure.config),
                failure.failed_at,
            )
        return kept is not None

    async def failures(self, limit: int, offset: int) -> tuple[list[ImportFailure], int]:
        """Give those that nobody has acknowledged, and how many there are in all."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["list_failures"], limit, offset, PAGE_BYTES)
            total = await connection.fetchval(QUERIES["count_failures"])
        return [_failure(row) for row in rows], total

    async def acknowledge(self, subscription_id: str, actor: Actor | None) -> bool:
        """List a failure no longer; false where there is none."""
        who = None if actor is None else msgspec.json.encode(actor).decode()
        async with self._store.connection() as connection:
            query = QUERIES["acknowledge_failure"]
            return await connection.fetchval(query, subscription_id, who) is not None


def _failure(row: asyncpg.Record) -> ImportFailure:
    return ImportFailure(
        id=row["subscription_id"],
        name=row["name"],
        provider=row["provider"],
        event=row["event"],
        reason=row["reason"],
        detail=row["detail"],
        config=msgspec.json.decode(row["config"]),
        failed_at=row["failed_at"],
    )
