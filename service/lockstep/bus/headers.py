"""Headers of messages: to bytes, from bytes, and what a server takes.

Publishers may be anybody and a server stores what they send unread, so reading never raises.
Source: ADR-4 of the NATS architecture records.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lockstep.bus.errors import BadMessage

MESSAGE_ID: Final = "Nats-Msg-Id"
NONE: Final[Mapping[str, str]] = MappingProxyType({})
MAX_HEADER_BYTES: Final = 64 * 1024
"""Source: error 10097 of nats-server."""

_VERSION: Final = b"NATS/1.0"
_KEY: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def pack(headers: Mapping[str, str]) -> bytes:
    """Write the block that stands before the body; empty when there are no headers.

    Raises:
        BadMessage: A name is no token, or a value has a line break or is no text.
    """
    if not headers:
        return b""
    lines = ["NATS/1.0\r\n"]
    for key, value in headers.items():
        if not _KEY.fullmatch(key):
            raise BadMessage(f"header {key!r}: a name of letters, digits and hyphens is expected")
        if "\r" in value or "\n" in value:
            raise BadMessage(f"header {key}: a value without line breaks is expected")
        lines.append(f"{key}: {value}\r\n")
    lines.append("\r\n")
    try:
        return "".join(lines).encode()
    except UnicodeEncodeError as error:
        raise BadMessage(f"headers {', '.join(headers)}: a value is no Unicode text") from error


def unpack(block: bytes) -> Mapping[str, str]:
    """Read a block; of a repeated name the first value counts, as for the server.

    Lines without a name and names that are no token are left out, wrong UTF-8 becomes U+FFFD.
    """
    if not block:
        return NONE
    read: dict[str, str] = {}
    for line in block.split(b"\r\n")[1:]:
        name, found, value = line.partition(b":")
        key = name.strip().decode("ascii", "replace")
        if found and key not in read and _KEY.fullmatch(key):
            read[key] = value.strip().decode("utf-8", "replace")
    return read


def status(block: bytes) -> int:
    """Read the status that the server puts in the first line; 0 when there is none."""
    digits = block[9:12]
    return int(digits) if block.startswith(b"NATS/1.0 ") and digits.isdigit() else 0


def status_text(block: bytes) -> str:
    """Read the words behind the status."""
    return block[12:].partition(b"\r\n")[0].strip().decode("utf-8", "replace")


def one_line(text: str, limit: int) -> str:
    """Make any text fit for a value: one line, at most `limit` bytes of UTF-8."""
    line = " ".join(text.split()).encode("utf-8", "replace")
    return line[:limit].decode("utf-8", "ignore")
