"""KV buckets of what sleeps: one key for each wait, so that a crash of ours wakes it all the same.

The rows in the store are the truth. A key only makes the server say, a second after the time is
due, that someone should look; and it shows operators what sleeps. Who watches a bucket sees each
key come and go.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from lockstep.bus import api
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.bus.names import Kind
from lockstep.bus.publisher import Publisher
from lockstep.bus.requests import NoResponders
from lockstep.model.errors import BusUnavailable

MARGIN: Final = timedelta(seconds=1)
"""How much later than due the server wakes: the worker that has the wait comes first."""
WAKE_TTL: Final = "1h"
"""How long a message that wakes is kept; what slept longer than that is found in the store."""
REMOVED: Final[Mapping[str, str]] = {
    "KV-Operation": "PURGE",
    "Nats-Rollup": "sub",
    "Nats-TTL": "60",
}
"""What stands in place of a key that was removed, for a minute: who watches the bucket sees it.

Source: ADR-8 and ADR-43 of the NATS architecture records. `STREAM.PURGE` would tell nobody.
"""

# The server counts in nanoseconds of 64 bits: a time after 2262 overflows and would be due at once,
# one before 1677 not for centuries.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_KEYS_SECONDS: Final = 30.0  # a page has up to 100,000
_AT_ONCE: Final = 2_000  # some milliseconds of work, until others run


class Bucket:
    """A KV bucket of what sleeps: one key for each wait, with a schedule where it has a due time.

    Keys are `str(uuid)`, unique for each visit: who removes one does not look at what it is.
    """

    def __init__(self, connection: Connection, kind: Kind) -> None:
        names = connection.names
        self.kind: Kind = kind
        self.name = names.delays_bucket if kind == "delay" else names.waits_bucket
        self.stream = names.bucket_stream(self.name)
        self._connection = connection
        self._publisher = Publisher(connection)

    async def put(self, key: str, body: bytes, due_at: datetime | None) -> None:
        """Write `key`; what it held before, its schedule too, is no more.

        With `due_at` the server puts `body` on the subject `names.wake(kind, key)` a second after
        that time, once, and the key is gone; who watches sees that when it is removed. Without it
        the key stays until then.

        Raises:
            Unavailable: Not acknowledged in time, the stream is full or has no leader, or it is
                not there (`NoResponders`). It may be written all the same: put it again.
            Refused: The stream will never take it: it is not set up for schedules.
            MessageTooLarge: `body` is too large.
            BadMessage: `key` is no part of a subject.

        Source: ADR-51 of the NATS architecture records.
        """
        names = self._connection.names
        headers: dict[str, str] = {}
        if due_at is not None:
            at = min(max(due_at, _EARLIEST), _LATEST) + MARGIN
            headers = {
                "Nats-Schedule": f"@at {at.astimezone(UTC).isoformat().replace('+00:00', 'Z')}",
                "Nats-Schedule-Target": names.wake(self.kind, key),
                "Nats-Schedule-TTL": WAKE_TTL,
            }
        await self._publisher.publish(names.key(self.name, key), body, headers)

    async def remove(self, key: str) -> None:
        """Remove `key` and its schedule; well if it, or the bucket, is not there.

        Who watches the bucket is told. A wake that the server has sent before still arrives.

        Raises:
            Unavailable: JetStream gave no answer, or has no leader. It may be done all the same.
            Refused: JetStream refuses for another reason, such as a stream that is sealed.
        """
        subject = self._connection.names.key(self.name, key)
        with suppress(NoResponders):  # it says that there is no such stream
            await self._publisher.publish(subject, b"", REMOVED)

    async def keys(self) -> set[UUID]:
        """List all keys that are UUIDs; of the last minute, what was removed is among them.

        With more than 100,000 keys they are read in several pages, and a key may be missing from
        the list when others were removed meanwhile.

        Raises:
            Unavailable: JetStream gave no answer, has no leader, or the bucket is not there: the
                engine makes it again.
            Refused: JetStream refuses for another reason.
        """
        every = self._connection.names.key(self.name, ">")
        skip, offset = len(every) - 1, 0
        found: set[UUID] = set()
        while True:
            page = await self._page({"subjects_filter": every, "offset": offset})
            subjects = list((page["state"].get("subjects") or {}).keys())
            for start in range(0, len(subjects), _AT_ONCE):
                some = subjects[start : start + _AT_ONCE]
                found.update(key for one in some if (key := as_uuid(one[skip:])) is not None)
                await asyncio.sleep(0)  # a page takes a quarter of a second: let others run
            offset += len(subjects)
            if not subjects or offset >= page.get("total", 0):
                return found

    async def _page(self, request: dict[str, Any]) -> dict[str, Any]:
        what = f"STREAM.INFO.{self.stream}"
        try:
            return await api.call(self._connection, what, request, seconds=_KEYS_SECONDS)
        except ApiError as error:
            error.about = f"bucket {self.name}"
            if error.err_code == api.STREAM_NOT_FOUND:
                text = f"{error.about}: {error.description}; `lockstep bus apply` creates it"
                raise BusUnavailable(text) from None
            raise error.as_refusal() from None


def as_uuid(text: str) -> UUID | None:
    """Read a UUID as `str` writes it; nothing else is one, though `UUID` takes other forms."""
    try:
        read = UUID(text)
    except ValueError:
        return None
    return read if str(read) == text else None
