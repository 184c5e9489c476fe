"""Pages: where they begin, and what fits into a reply, of which NATS takes 1 MiB."""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from lockstep.control.errors import bad_field

MAX_BYTES: Final = 960 * 1024  # of 1 MiB; headers may have the other 64 KiB, see `bus.headers`
ROOM: Final = 64 * 1024  # of a reply, for what stands around the items
LARGEST_ITEM: Final = MAX_BYTES - ROOM

MAX_DIGITS: Final = 18  # any number of so many fits into 64 bits, as the store counts

Item = TypeVar("Item", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode


def fitting(items: Sequence[Item], taken: int = 0) -> list[Item]:
    """Give as many of the first items as fit into a reply.

    At least one; unless what else it holds, `taken` bytes, leaves no room on this page.
    """
    size = taken
    for index, item in enumerate(items):
        size += len(_encode(item)) + 1
        if size > MAX_BYTES and (index or taken > ROOM):
            return list(items[:index])
    return list(items)


def size_of(item: msgspec.Struct) -> int:
    """Give the bytes that a thing takes in a reply."""
    return len(_encode(item))


def check_fits(item: msgspec.Struct, what: str) -> None:
    """Refuse a thing that would not fit into a reply, so that nobody could read it again.

    Raises:
        Refusal: It is too large; the issue names its largest field.
    """
    if len(_encode(item)) > MAX_BYTES:
        sizes = {name: len(_encode(getattr(item, name))) for name in item.__struct_fields__}
        largest = max(sizes, key=sizes.__getitem__)
        raise bad_field(f"the {what} is larger than {MAX_BYTES} bytes: shorten it", largest)


def position(cursor: str | None) -> int | None:
    """Read a cursor.

    Raises:
        Refusal: It is not one of ours.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= MAX_DIGITS):
        raise bad_field(f"cursor '{cursor[:40]}' is not one of ours", "cursor")
    return int(cursor)
