"""Filters that write values in other notations: JSON, Base64, URLs, a digest."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, quote_plus

import msgspec

from lockstep.model.errors import LimitExceeded
from lockstep.render.filters_text import whole
from lockstep.render.limits import Work
from lockstep.render.values import MISSING, to_json

_MOST_INDENT: Final = 8  # as JSON is indented at most; more would only be longer
_CHUNK: Final = 4096  # characters that are quoted until the limits are looked at again

_PAIR: Final = 2  # a name and a value
_LIST_BYTES: Final = 128  # an empty list or object, and its place in another
_ITEM_BYTES: Final = 32  # a small value


def json(work: Work, value: object, indent: object = 0) -> object:
    """Give JSON, compact or with so many spaces per level; missing is null."""
    spaces = min(max(whole(indent) or 0, 0), _MOST_INDENT)
    return to_json(value, work.limits.value_bytes, spaces, work.tick)


def fromjson(work: Work, value: object) -> object:
    """Give the value that a text is as JSON; what is no JSON passes through.

    Raises:
        LimitExceeded: The value has more bytes than one may have, or is nested too deep.
    """
    if not isinstance(value, str):
        return value
    work.fit(len(value))
    # A bracket may become a list, a comma a place in one: the dearest of what a text can hold.
    work.take(_LIST_BYTES * (value.count("[") + value.count("{")) + _ITEM_BYTES * value.count(","))
    try:
        made: object = msgspec.json.decode(value)
    except RecursionError:
        raise LimitExceeded("a value is nested too deep") from None
    except (msgspec.DecodeError, ValueError):
        return value
    work.weigh(made)
    return made


def b64encode(work: Work, value: object) -> object:
    """Give the UTF-8 of the text of a value in Base64."""
    if value is None or value is MISSING:
        return value
    text = work.text(value)
    work.fit(len(text) + (len(text) >> 1))
    return base64.b64encode(_utf8(text)).decode("ascii")


def b64decode(_: Work, value: object) -> object:
    """Give the text whose UTF-8 is there in Base64, plain or for URLs; no Base64 passes through."""
    if not isinstance(value, str):
        return value
    padded = value.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        padded += "=" * (-len(padded) % 4)
        return base64.b64decode(padded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return value


def urlencode(work: Work, value: object) -> object:
    """Give a text as part of a path of a URL; an object or a list of pairs as a query.

    Source: the filter of Jinja2.
    """
    query = _pairs(work, value)
    if query is not None:
        pairs, size = [], 0
        for name, item in query:
            work.tick(4)
            pairs.append(f"{_quoted(work, name, '')}={_quoted(work, item, '')}")
            size += len(pairs[-1])
            work.fit(size)
        return "&".join(pairs)
    if value is None or value is MISSING:
        return value
    return _quoted(work, value, "/")


def sha256(work: Work, value: object) -> object:
    """Give the SHA-256 of the UTF-8 of the text of a value, as hexadecimal digits."""
    if value is None or value is MISSING:
        return value
    return hashlib.sha256(_utf8(work.text(value))).hexdigest()


def _pairs(work: Work, value: object) -> Iterable[Sequence[object]] | None:
    """Give the pairs of an object, or of a list that has nothing else."""
    if isinstance(value, Mapping):
        return value.items()
    if not isinstance(value, list):
        return None
    work.tick(len(value))
    paired = all(isinstance(item, list) and len(item) == _PAIR for item in value)
    return value if paired else None


def _quoted(work: Work, value: object, safe: str) -> str:
    """Quote in pieces, because it takes its time for each character."""
    write = quote if safe else quote_plus
    made = []
    for chunk in _chunks(work.text(value)):
        work.tick(len(chunk) >> 1)
        made.append(write(chunk, safe=safe, errors="replace"))
    return "".join(made)


def _chunks(text: str) -> Iterator[str]:
    return (text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
