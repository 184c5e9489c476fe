"""What windows count."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec


class Counter(msgspec.Struct, frozen=True):
    """What a window counts, for one partition."""

    automation_id: str
    trigger_id: str
    partition: bytes


class Occurrences(msgspec.Struct, frozen=True):
    """The last occurrences of a counter, oldest first."""

    counter: Counter
    times: Sequence[datetime]
    expires_at: datetime


def digest(text: str | None) -> bytes:
    """Give 16 bytes for a key that may be longer than an index takes; null is a key of its own."""
    return _digest("" if text is None else f"={text}")


def digest_of_value(text: str) -> bytes:
    """Give 16 bytes for a value, as JSON: never those of a key, whatever that is."""
    return _digest(f":{text}")


def _digest(marked: str) -> bytes:
    return blake2b(marked.encode("utf-8", "surrogatepass"), digest_size=16).digest()
