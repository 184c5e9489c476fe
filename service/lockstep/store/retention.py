"""What is old is forgotten: finished runs and what belongs to them, in small batches."""

import asyncio
import time
from datetime import datetime
from typing import Final
from uuid import UUID

from lockstep.model.errors import Unavailable
from lockstep.store.pool import Store
from lockstep.store.queries import query

BATCH: Final = 500  # runs with their steps; fewer where these are so many that it takes too long
ARTIFACTS: Final = 5000  # rows without any of their own, so ten times as many
_FIRST: Final = UUID(int=0)


class Retention:
    """Forgets finished runs, `batch` at once; any number of replicas may do so at the same time."""

    def __init__(self, store: Store, *, batch: int = BATCH) -> None:
        self._store, self._batch_size = store, batch
        self._size = batch

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
        async with self._store.connection() as connection:
            await connection.execute(*query("artifacts/forget", before=before, limit=ARTIFACTS))
        return forgotten

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


def first_id(at: datetime) -> UUID:
    """Give an id that is smaller than those of all runs made later. Source: RFC 9562, version 7."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
