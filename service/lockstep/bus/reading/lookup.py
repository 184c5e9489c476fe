"""Looks in a stream for messages of given ids, when the server may have forgotten the ids."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from lockstep.bus.connection import Connection
from lockstep.bus.delivery import Delivery, is_delivery
from lockstep.bus.headers import MESSAGE_ID
from lockstep.bus.reading.reader import reader
from lockstep.model.errors import BusUnavailable

LIMIT_SECONDS: Final = 10.0  # the outbox asks again later, and others wait behind it
# Of a request: what is under way does not exceed what a client may leave unread.
_PAGE: Final = 1000
_SKEW: Final = timedelta(minutes=1)
"""How much the clock of the server may be behind ours."""


async def find(
    connection: Connection,
    stream: str,
    subject: str,
    message_id: str,
    since: datetime,
    *,
    seconds: float = LIMIT_SECONDS,
) -> bool:
    """Tell whether `stream` has a message of this id on `subject`, stored since `since`.

    Raises:
        Unavailable: It could not be found out within `seconds`.
        ServerUnfit: The stream is not there, or we may not look into it.
    """
    return bool(await stored(connection, stream, subject, {message_id}, since, seconds=seconds))


async def stored(
    connection: Connection,
    stream: str,
    subject: str,
    ids: Collection[str],
    since: datetime,
    *,
    seconds: float = LIMIT_SECONDS,
) -> set[str]:
    """Tell which of these ids are in `stream` on `subject`, which may have wildcards.

    Reads headers only; costs a consumer for the time it takes, so look for many ids at once.

    Raises: as `find`.
    """
    begin = {
        "deliver_policy": "by_start_time",
        "opt_start_time": (since.astimezone(UTC) - _SKEW).isoformat().replace("+00:00", "Z"),
    }
    async with reader(connection, stream, subject, begin, seconds, "searched") as (name, pending):
        return await _read(connection, name, _Scan(set(ids), pending), seconds)


class _Scan:
    """What has been found, and what is left to read."""

    def __init__(self, ids: set[str], left: int) -> None:
        self.ids, self.left = ids, left
        self.found: set[str] = set()
        self.page = 0
        self.turned = asyncio.Event()

    @property
    def done(self) -> bool:
        return self.left <= 0 or self.found == self.ids

    def read(self, subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        if is_delivery(reply):
            message = Delivery(subject, reply, head, body)
            if (message_id := message.headers.get(MESSAGE_ID)) in self.ids:
                self.found.add(str(message_id))
            self.left = message.pending
            self.page -= 1
        else:
            self.page = 0  # the request ended before its time: another one
        if self.page <= 0 or self.done:
            self.turned.set()


async def _read(connection: Connection, consumer: str, scan: _Scan, seconds: float) -> set[str]:
    inbox = connection.wire.new_inbox()
    subscription = await connection.listen(inbox, scan.read)
    try:
        async with asyncio.timeout(seconds):
            while not scan.done:
                scan.page = min(_PAGE, scan.left)
                scan.turned.clear()
                request: dict[str, Any] = {"batch": scan.page, "expires": round(seconds * 1e9)}
                where = f"$JS.API.CONSUMER.MSG.NEXT.{consumer}"
                connection.post(where, msgspec.json.encode(request), reply=inbox)
                await scan.turned.wait()
    except TimeoutError:
        text = f"{consumer}: {scan.left} messages were left to read after {seconds:g} s"
        raise BusUnavailable(text) from None
    finally:
        await connection.release(subscription)
    return scan.found
