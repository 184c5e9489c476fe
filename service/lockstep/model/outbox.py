"""Events on their way to the bus."""

from datetime import datetime

import msgspec


class EventRow(msgspec.Struct, frozen=True):
    """An event on its way to the bus; those of one topic leave in order of `seq`."""

    topic: str
    seq: int
    subject: str
    message_id: str
    body: bytes
    created_at: datetime  # not later than it was stored
    traceparent: str | None = None  # of its run; not stored
