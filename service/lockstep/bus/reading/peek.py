"""Reads and counts the messages of a stream from a place on, without a durable consumer."""

import asyncio
import re
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from lockstep.bus import headers
from lockstep.bus.connection import Connection
from lockstep.bus.delivery import Delivery, is_delivery
from lockstep.bus.reading.reader import reader
from lockstep.model.errors import BusUnavailable

LIMIT_SECONDS: Final = 10.0  # within the 15 s that the command line waits for a reply
# Of a message without its body the server adds the size, behind the headers of the publisher.
_SIZE: Final = re.compile(rb"\r\nNats-Msg-Size: *([0-9]{1,12})\r\n")


class Glimpse(NamedTuple):
    """The place and the headers of a message, and how large its body is."""

    message: Delivery
    size: int


async def count(connection: Connection, stream: str, subject: str, start: int) -> int:
    """Count the messages on `subject`, which may have wildcards, from sequence `start` on.

    The server keeps the numbers for each subject; no message is read.

    Raises: as `read`.
    """
    async with _from(connection, stream, subject, start) as (_, pending):
        return pending


async def read(
    connection: Connection, stream: str, subject: str, start: int, limit: int
) -> list[Glimpse]:
    """Read the headers of the first messages on `subject` from sequence `start` on.

    Raises:
        Unavailable: JetStream did not answer within 10 s.
        ServerUnfit: The stream is not there, or we may not look into it.
    """
    async with _from(connection, stream, subject, start) as (consumer, pending):
        return await _read(connection, stream, consumer, min(limit, pending))


async def since(
    connection: Connection, stream: str, subject: str, at: datetime, limit: int
) -> list[Delivery]:
    """Read the first messages on `subject` that were stored since `at`, whole.

    Raises: as `read`.
    """
    begin = {
        "deliver_policy": "by_start_time",
        "opt_start_time": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    async with reader(
        connection, stream, subject, begin, LIMIT_SECONDS, "read", headers_only=False
    ) as (consumer, pending):
        found = await _read(connection, stream, consumer, min(limit, pending))
    return [one.message for one in found]


async def _read(connection: Connection, stream: str, consumer: str, number: int) -> list[Glimpse]:
    """Read so many messages of a consumer, or what is left of them."""
    scan = _Glimpses(number)
    inbox = connection.wire.new_inbox()
    subscription = await connection.listen(inbox, scan.read)
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while not scan.done:
                scan.turned.clear()
                # Whoever deletes some meanwhile must not make us wait for them.
                request: dict[str, Any] = {"batch": scan.left, "no_wait": True}
                where = f"$JS.API.CONSUMER.MSG.NEXT.{consumer}"
                connection.post(where, msgspec.json.encode(request), reply=inbox)
                await scan.turned.wait()
    except TimeoutError:
        text = f"stream {stream}: {scan.left} messages could not be read within 10 s"
        raise BusUnavailable(text) from None
    finally:
        await connection.release(subscription)
    return scan.found


def _from(
    connection: Connection, stream: str, subject: str, start: int
) -> AbstractAsyncContextManager[tuple[str, int]]:
    begin: dict[str, str | int] = {
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": max(1, start),
    }
    return reader(connection, stream, subject, begin, LIMIT_SECONDS, "read")


class _Glimpses:
    """What has been read, and how much is left to read."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.found: list[Glimpse] = []
        self.turned = asyncio.Event()

    @property
    def done(self) -> bool:
        return self.left <= 0

    def read(self, subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        if not is_delivery(reply):
            # 404: there are no more. Anything else ended the request before its time.
            if headers.status(head) == 404:
                self.left = 0
            self.turned.set()
            return
        message = Delivery(subject, reply, head, body)
        sizes = _SIZE.findall(head)
        self.found.append(Glimpse(message, int(sizes[-1]) if sizes else 0))
        self.left = min(self.left - 1, message.pending)
        if self.done:
            self.turned.set()
