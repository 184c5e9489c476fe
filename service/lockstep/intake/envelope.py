"""What is around a payload: the two forms of a CloudEvent, and the trace that goes on.

Source: CloudEvents 1.0.2 with its JSON format and its NATS binding; W3C Trace Context.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from lockstep.model.messages import Message
from lockstep_schemas.base import JsonObject
from lockstep_schemas.depth import MAX_DEPTH, may_nest_deeper, nests_deeper
from lockstep_schemas.events import (
    CLOUD_EVENT,
    HEADER_CE_ID,
    HEADER_CE_TRACE,
    HEADER_CONTENT_TYPE,
    HEADER_TRACE,
)

_FAMILY: Final = "application/cloudevents"
_VERSION: Final = "1.0"
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_TOO_DEEP: Final = f"nests deeper than {MAX_DEPTH} levels: flatten it, or send a part as text"
_PARENT_LENGTH: Final = 55  # that of version 00: 2 + 32 + 16 + 2 digits, three dashes
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16

_json = msgspec.json.Decoder().decode
_Word = Annotated[str, Meta(min_length=1)]


class EnvelopeRefused(Exception):
    """Why a message can never become an event."""


class Content(NamedTuple):
    """What a message carries: the payload, its bytes as published, and what its envelope says."""

    payload: JsonObject
    body: bytes
    id: str | None
    trace: object


class _CloudEvent(msgspec.Struct):
    """The attributes that are required, and the data; whatever else there is may be there."""

    specversion: str
    id: _Word
    source: _Word
    type: _Word
    data: Raw | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET
    traceparent: object = None  # what is no trace is passed over


_envelope = msgspec.json.Decoder(_CloudEvent).decode


def folded(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Give headers by their names in lower case; of names that then are one, the first counts.

    For the names of other standards, which bridges from HTTP write as they like.
    """
    if not headers:
        return headers
    return {name.lower(): headers[name] for name in reversed([*headers])}


def content(message: Message, headers: Mapping[str, str]) -> Content:
    """Find the payload of a message; `headers` are folded.

    Raises:
        Refused: It has none that is a JSON object, or its envelope is wrong.
    """
    if (written := headers.get(HEADER_CONTENT_TYPE)) is not None:
        media = written.partition(";")[0].strip().lower()
        if media == CLOUD_EVENT:
            return _unwrapped(message.data)
        if media.startswith(_FAMILY):
            raise EnvelopeRefused(
                f"content type '{media[:80]}': of the forms of a CloudEvent only {CLOUD_EVENT} is "
                "taken, or its attributes as headers; publish each event alone in one of these"
            )
    payload = _object(message.data, "the body")
    return Content(payload, message.data, headers.get(HEADER_CE_ID), headers.get(HEADER_CE_TRACE))


def traceparent(headers: Mapping[str, str], of_envelope: object) -> str | None:
    """Give the trace that goes on: of the header, by its folded name, else of a CloudEvent.

    One that is malformed is none.
    """
    return _trace(headers.get(HEADER_TRACE)) or _trace(of_envelope)


def _trace(text: object) -> str | None:
    if not isinstance(text, str) or (found := _PARENT.fullmatch(text.strip())) is None:
        return None
    version, trace, span, more = found.groups()
    is_known = version == "00" and more is None
    # Of a later version, what is known of it counts.
    is_later = version not in {"00", "ff"}
    if trace == _NO_TRACE or span == _NO_SPAN or not (is_known or is_later):
        return None
    return text.strip()[:_PARENT_LENGTH]


def _unwrapped(body: bytes) -> Content:
    try:
        event = _envelope(body)
    except msgspec.ValidationError as error:
        raise EnvelopeRefused(f"the CloudEvent is not as it must be: {error}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise EnvelopeRefused(f"the CloudEvent is no JSON: {error}") from None
    if event.specversion != _VERSION:
        raise EnvelopeRefused(
            f"specversion '{event.specversion[:40]}' of the CloudEvent is not {_VERSION}"
        )
    if event.data is not UNSET and event.data_base64 is not UNSET:
        raise EnvelopeRefused("the CloudEvent has both data and data_base64")
    if event.data is not UNSET:
        data, name = bytes(event.data), "data of the CloudEvent"
    elif event.data_base64 is not UNSET:
        data, name = _unbased(event.data_base64), "data_base64 of the CloudEvent"
    else:
        raise EnvelopeRefused("the CloudEvent has no data")
    return Content(_object(data, name), data, event.id, event.traceparent)


def _unbased(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise EnvelopeRefused(f"data_base64 of the CloudEvent is no base64: {error}") from None


def _object(body: bytes, name: str) -> JsonObject:
    try:
        payload = _json(body)
    except RecursionError:
        raise EnvelopeRefused(f"{name} {_TOO_DEEP}") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise EnvelopeRefused(f"{name} is no JSON: {error}") from None
    if not isinstance(payload, dict):
        raise EnvelopeRefused(f"{name} is no JSON object but {_kind(payload)}")
    if may_nest_deeper(body, MAX_DEPTH) and nests_deeper(payload, MAX_DEPTH):
        raise EnvelopeRefused(f"{name} {_TOO_DEEP}")
    return payload


def _kind(value: object) -> str:
    names: dict[type, str] = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
