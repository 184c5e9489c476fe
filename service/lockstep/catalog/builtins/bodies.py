"""Bodies of what actions send and get: JSON, text, or bytes that are neither."""

from base64 import b64encode
from typing import Literal, NamedTuple

import msgspec

from lockstep.model.secrets import MASKER
from lockstep_schemas.base import Json
from lockstep_schemas.depth import MAX_DEPTH, nests_deeper

Kind = Literal["json", "text", "base64", "none"]


class Body(NamedTuple):
    """A body as templates reach it, and how it was read."""

    value: Json
    kind: Kind


def encoded(value: Json) -> bytes:
    """Write a body: a text as it is, everything else as JSON.

    Raises:
        ValueError: It cannot be sent; the message says why.
    """
    try:
        return value.encode() if isinstance(value, str) else msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError) as error:
        raise ValueError(f"cannot be sent: {error}") from None


def decoded(body: bytes, *, is_json: bool, charset: str = "utf-8") -> Body:
    """Read a body: as JSON where it is said to be, else as text; as base64 where it is neither.

    JSON that does not parse, or nests too deep for a template to be of use, stays text.
    """
    if not body:
        return Body(None, "none")
    try:
        text = body.decode(charset)
    except UnicodeDecodeError:
        return Body(b64encode(MASKER.raw(body)).decode(), "base64")
    if is_json:
        try:
            value = msgspec.json.decode(text)
            if not nests_deeper(value, MAX_DEPTH):
                return Body(value, "json")
        except (msgspec.DecodeError, RecursionError, ValueError):
            pass
    return Body(text, "text")
