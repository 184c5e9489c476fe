"""What is old is forgotten, in small batches: finished runs and what belongs to them, receipts."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from lockstep.model.errors import Unavailable
from lockstep.model.messages import StreamBegin
from lockstep.store.pool import Store
from lockstep.store.queries import query

BATCH: Final = 500  # runs with their steps; fewer where these are so many that it takes too long
ARTIFACTS: Final = 5000  # rows without any of their own, so ten times as many
_FIRST: Final = UUID(int=0)
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Retention:
    """Forgets finished runs, `batch` at once; any number of replicas may do so at the same time."""

    def __init__(self, store: Store, *, batch: int = BATCH) -> None:
        self._store, self._batch_size = store, batch
        self._size = batch
        self._body = _FIRST  # the last one that was looked at

    async def forget(self, before: datetime) -> int:
        """Forget the runs that ended before a time; give how many. Raise Unavailable.

        It rests as long as it works, and where runs have so many steps that a batch of them takes
        too long, the next batches are smaller.
        """
        forgotten, last = 0, _FIRST
        while True:
            began, size = time.monotonic(), self._size
            try:
                gone, last = await self._batch(before, last, size)
            except Unavailable:
                self._size = max(1, size // 2)
                raise
            self._size = min(self._batch_size, 2 * size)
            forgotten += gone
            if gone < size:
                break
            await asyncio.sleep(time.monotonic() - began)
        await self._artifacts(before)
        return forgotten

    async def _artifacts(self, before: datetime) -> None:
        """Forget those that earlier versions left behind."""
        last, looked = _FIRST, ARTIFACTS
        while looked == ARTIFACTS:
            began = time.monotonic()
            async with self._store.connection() as connection:
                (row,) = await connection.fetch(
                    *query(
                        "artifacts/forget",
                        before_id=first_id(before),
                        after_id=last,
                        limit=ARTIFACTS,
                    )
                )
            looked, last = row["looked"], UUID(row["last"]) if row["last"] else last
            await asyncio.sleep(time.monotonic() - began)

    async def forget_bodies(self, limit: int) -> None:
        """Look through the next so many shared bodies, and forget those that no run has.

        Raises:
            Unavailable: The store is away.
        """
        async with self._store.connection() as connection:
            (row,) = await connection.fetch(*query("bodies/forget", after=self._body, limit=limit))
        self._body = UUID(row["last"]) if row["seen"] == limit else _FIRST

    async def _batch(self, before: datetime, last: UUID, size: int) -> tuple[int, UUID]:
        async with self._store.connection() as connection:
            (row,) = await connection.fetch(
                *query(
                    "runs/forget",
                    before=before,
                    before_id=first_id(before),
                    after_id=last,
                    limit=size,
                )
            )
        return row["runs"], UUID(row["last"]) if row["last"] else last


class Receipts:
    """Forgets receipts of events that cannot come again.

    What is older than its time and cannot go yet, because the stream still has an event before
    it, is not looked at again until the stream has gone on.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begin: StreamBegin | None = None
        self._after = _EVER  # looked at before, as far as the stream has not gone on
        self._kept: datetime | None = None  # before the first page of which not all could go

    async def forget(self, hours: float, begin: StreamBegin, limit: int) -> bool:
        """Forget one page; say whether there may be another. Raise Unavailable."""
        if begin != self._begin:
            self._begin, self._after = begin, self._kept or self._after
            self._kept = None
        async with self._store.connection() as connection:
            (row,) = await connection.fetch(
                *query(
                    "receipts/forget",
                    hours=hours,
                    after=self._after,
                    stream=begin.stream,
                    first=begin.sequence,
                    created=begin.created_at,
                    limit=limit,
                )
            )
        if row["kept"] and self._kept is None:
            self._kept = self._after
        if self._kept is not None and row["last"] is not None:
            self._after = row["last"]
        return bool(row["looked"] == limit)

    async def forget_suspects(self, limit: int) -> None:
        """Forget marks that nobody has cleared, so many at once. Raise Unavailable."""
        async with self._store.connection() as connection:
            await connection.execute(*query("receipts/forget_suspects", limit=limit))


def first_id(at: datetime) -> UUID:
    """Give an id that is smaller than those of all runs made later. Source: RFC 9562, version 7."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
