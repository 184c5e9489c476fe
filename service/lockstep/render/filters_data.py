"""Filters that write values in other notations: JSON, Base64, URLs, a digest."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

from lockstep.render.filters_text import whole
from lockstep.render.limits import Work
from lockstep.render.values import MISSING, to_json

_MOST_INDENT: Final = 8  # as JSON is indented at most; more would only be longer
_CHUNK: Final = 4096  # characters that are quoted until the limits are looked at again


def json(work: Work, value: object, indent: object = 0) -> object:
    """Give JSON, compact or with so many spaces per level; missing is null."""
    spaces = min(max(whole(indent) or 0, 0), _MOST_INDENT)
    return to_json(value, work.limits.value_bytes, spaces, work.tick)


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
    """Give a text as part of a path of a URL; an object as a query.

    Source: the filter of Jinja2.
    """
    if isinstance(value, Mapping):
        pairs, size = [], 0
        for name, item in value.items():
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
