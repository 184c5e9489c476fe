"""Follows live messages: for people who watch, who may miss some."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Self

import msgspec

from lockstep.bus import headers
from lockstep.bus.connection import Connection
from lockstep.model.errors import BusUnavailable

LIMIT: Final = 10_000  # some MiB, for a terminal that is slower than the bus; the oldest go


class Note(msgspec.Struct, frozen=True):
    """One live message."""

    subject: str
    headers: Mapping[str, str]
    body: bytes


class Feed:
    """Live messages in order, as long as the connection lasts; an async iterator.

    Who reads too slowly loses the oldest ones: `dropped` counts them. Each time the connection
    broke and came back, `gaps` grows by one: what was published meanwhile is missing.
    """

    def __init__(self, connection: Connection, limit: int) -> None:
        self.dropped = self.gaps = 0
        self._connection = connection
        self._queue: deque[Note] = deque(maxlen=limit)
        self._arrived = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Note:
        """Wait for the next message.

        Raises:
            Unavailable: The connection is closed for good.
        """
        while not self._queue:
            if self._connection.closed.is_set():
                reason = self._connection.closed_reason
                raise BusUnavailable(f"the connection to NATS is closed: {reason}")
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    def lost(self) -> None:
        """Wake the reader: perhaps it is for good."""
        self._arrived.set()

    def back(self) -> None:
        """Note that some may be missing."""
        self.gaps += 1

    def read(self, subject: bytes, _reply: bytes, head: bytes, body: bytes) -> None:
        """Take a message from the read loop."""
        self.dropped += len(self._queue) == self._queue.maxlen
        note = Note(subject.decode("utf-8", "replace"), headers.unpack(head), body)
        self._queue.append(note)
        self._arrived.set()


@asynccontextmanager
async def follow(
    connection: Connection, subject: str, *, limit: int = LIMIT
) -> AsyncIterator[Feed]:
    """Follow what is published on `subject` (wildcards allowed) from now on.

    A plain subscription: it needs no right but to subscribe, and costs the server nothing.

    Raises:
        Unavailable: The connection is closed, or the server does not react.
    """
    feed = Feed(connection, limit)
    connection.listeners.add(feed)
    try:
        subscription = await connection.listen(subject, feed.read)
        try:
            await connection.settled()
            yield feed
        finally:
            await connection.release(subscription)
    finally:
        connection.listeners.discard(feed)
