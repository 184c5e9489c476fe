"""From a message to an event, or to a poison with its reason."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final

import msgspec

from lockstep.intake.envelope import EnvelopeRefused, content, folded, traceparent
from lockstep.model.events import NOBODY, Event, Poison
from lockstep.model.messages import Message, moment
from lockstep.model.types import Catalog, TriggerType
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import (
    HEADER_ACTOR,
    HEADER_CONTEXT_KEY,
    HEADER_FOR,
    HEADER_HOP,
    HEADER_MESSAGE_ID,
    Actor,
)

RESERVED: Final = ("automation.", "lockstep.")
MAX_EVENT_ID_BYTES: Final = 256  # as much as a type of triggers may be called in the catalog
MAX_MESSAGE_ID_BYTES: Final = 1024
"""Both together are a key of the receipts, and an index takes only so much."""

_actor = msgspec.json.Decoder(Actor).decode


class UnknownEvent(EnvelopeRefused):
    """The type of an event is not known, and the catalog takes only those that are."""


class Decoder:
    """Decodes messages by the types of the catalog.

    `admitted` are the event ids of the engine itself that others may publish all the same. `time`
    says when a message was stored, by the one clock.
    """

    def __init__(
        self,
        catalog: Catalog,
        prefix: str,
        hop_limit: int,
        admitted: Collection[str] = (),
        time: Callable[[int], datetime] = moment,
    ) -> None:
        self._catalog, self._hop_limit, self._time = catalog, hop_limit, time
        self._admitted = frozenset(admitted)
        self._plain, self._lane = f"{prefix}.trigger.", f"{prefix}.lane."

    def decode(self, message: Message) -> Event | Poison:
        """Turn a message into an event, or say why that can never be."""
        try:
            event_id = self.event_id(message.subject)
            try:
                kind = self._kind(event_id)
            except UnknownEvent as unknown:
                event = self._event(message, event_id, None)
                event = msgspec.structs.replace(event, only=NOBODY)
                return Poison(message, str(unknown), event)
            return self._event(message, event_id, kind)
        except EnvelopeRefused as refused:
            return Poison(message, str(refused))

    def _event(self, message: Message, event_id: str, kind: TriggerType | None) -> Event:
        headers = message.headers
        others = folded(headers)
        payload, body, own_id, own_trace = content(message, others)
        _check(kind, payload)
        hop = _hop(headers)
        if hop > self._hop_limit:
            raise EnvelopeRefused(
                f"hop {hop} is past the limit of {self._hop_limit}: a loop of automations?"
            )
        return Event(
            id=event_id,
            payload=payload,
            body=body,
            delivery=f"{message.stream}:{message.sequence}:{message.stored_at_ns}",
            message_id=_message_id(headers.get(HEADER_MESSAGE_ID) or own_id),
            context_key=_context_key(headers, kind, payload),
            actor=_sender(headers),
            hop=hop,
            time=self._time(message.stored_at_ns),
            sequence=message.sequence,
            message=message,
            traceparent=traceparent(others, own_trace),
            only=headers.get(HEADER_FOR) or None,
        )

    def _kind(self, event_id: str) -> TriggerType | None:
        """Find the type of an event; None where it needs none."""
        if event_id.startswith(RESERVED):
            if event_id in self._admitted:
                return self._catalog.trigger(event_id)
            raise EnvelopeRefused(
                f"event ids under '{event_id.partition('.')[0]}.' are the engine's own"
            )
        _fits(event_id, MAX_EVENT_ID_BYTES, "event id")
        kind = self._catalog.trigger(event_id)
        if kind is None and not self._catalog.is_open:
            raise UnknownEvent(
                f"unknown event '{event_id}': register its type, or open the catalog"
            )
        return kind

    def event_id(self, subject: str) -> str:
        """Give the event id of a subject, of a lane or not."""
        if subject.startswith(self._lane):
            return subject.partition(".trigger.")[2]
        return subject.removeprefix(self._plain)


def _message_id(text: str | None) -> str | None:
    if not text:
        return None
    _fits(text, MAX_MESSAGE_ID_BYTES, "message id")
    return text


def _fits(text: str, limit: int, name: str) -> None:
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    if size > limit:
        raise EnvelopeRefused(f"the {name} is {size} bytes long, at most {limit} are taken")


def _check(kind: TriggerType | None, payload: JsonObject) -> None:
    if kind is None or kind.payload_schema is None:
        return
    faults = kind.payload_schema.faults(payload)
    if faults:
        places = "; ".join(
            f"{'.'.join(str(part) for part in fault.path) or 'payload'}: {fault.message}"
            for fault in faults[:5]
        )
        raise EnvelopeRefused(f"the payload breaks the schema of '{kind.qualified_id}': {places}")


def _hop(headers: Mapping[str, str]) -> int:
    text = headers.get(HEADER_HOP, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise EnvelopeRefused(
            f"the header {HEADER_HOP} is '{text[:40]}', a number from 0 was expected"
        )
    return int(text)


def _sender(headers: Mapping[str, str]) -> Actor:
    text = headers.get(HEADER_ACTOR)
    if not text:
        return Actor()
    try:
        return _actor(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise EnvelopeRefused(f"the header {HEADER_ACTOR} is no actor: {error}") from None


def _context_key(
    headers: Mapping[str, str], kind: TriggerType | None, payload: JsonObject
) -> str | None:
    """Give the header where it is there (empty means null), else what the type extracts."""
    if HEADER_CONTEXT_KEY in headers:
        return headers[HEADER_CONTEXT_KEY] or None
    extract: Callable[[JsonObject], str | None] | None = kind.context_key if kind else None
    return extract(payload) if extract else None
