"""Presence: the key by which the bus knows a worker, and what is done when one is gone.

The row in the store is the proof; the key and its expiry are hints, which save time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from uuid import UUID

import structlog

from lockstep.model.errors import ServerUnfit, Unavailable

AGAIN_SECONDS: Final = 5.0  # as long as a sweep: without the hints workers are found dead by it

log = structlog.get_logger()


class WorkerKeys(Protocol):
    """The bucket of keys that expire."""

    async def renew(self, worker_id: UUID, body: bytes, ttl_seconds: int) -> None:
        """Write a key anew. Raise Unavailable."""
        ...

    async def drop(self, worker_id: UUID) -> None:
        """Take a key away. Raise Unavailable."""
        ...

    def expiries(self) -> AbstractAsyncContextManager[AsyncIterator[UUID]]:
        """Follow the keys that expire or are taken away. Raise Unavailable, ServerUnfit."""
        ...


class Successor(Protocol):
    """Whoever has more to do when a worker is gone."""

    def look(self) -> None:
        """Look at once for what the other one has left."""
        ...


class Presence:
    """Shows this worker, and watches the others."""

    def __init__(
        self,
        worker_id: UUID,
        keys: WorkerKeys,
        body: bytes,
        ttl_seconds: int,
        successors: Sequence[Successor],
    ) -> None:
        self._worker_id, self._keys = worker_id, keys
        self._body, self._ttl_seconds, self._successors = body, ttl_seconds, successors

    async def renew(self) -> None:
        """Show that this worker lives. Raise Unavailable."""
        await self._keys.renew(self._worker_id, self._body, self._ttl_seconds)

    async def drop(self) -> None:
        """Show that this worker is gone. Raise Unavailable."""
        await self._keys.drop(self._worker_id)

    async def watch(self) -> None:
        """Let successors look when the key of a worker is gone, until cancelled."""
        while True:
            try:
                async with self._keys.expiries() as gone:
                    async for _ in gone:
                        for one in self._successors:
                            one.look()
            except (Unavailable, ServerUnfit) as error:
                log.warning("bus.unreachable", reason=error, next="without it a second later")
            await asyncio.sleep(AGAIN_SECONDS)
