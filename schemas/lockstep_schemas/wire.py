"""For publishers and consumers: events to messages, and messages to what they say.

A `Message` is what any client of NATS sends or gets. Nothing here talks to a server.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Final
from uuid import uuid4

import msgspec
from msgspec import Meta

from .base import EventId, JsonObject
from .events import (
    ACTION_DONE,
    HEADER_ACTOR,
    HEADER_CONTEXT_KEY,
    HEADER_DELIVERIES,
    HEADER_MESSAGE_ID,
    HEADER_ORIGINAL_ID,
    HEADER_REASON,
    HEADER_SUBJECT,
    HEADER_TRACE,
    Actor,
)
from .remote import ActionDone, ActionReply, ActionRequest
from .run_events import AutomationEvent, RunEvent
from .secrets import SecretReply, SecretRequest

PREFIX: Final = "lockstep"
TRIGGERS_STREAM: Final = "LOCKSTEP_TRIGGERS"
# Bytes, as the engine takes them: the id is part of a key in its store.
MAX_MESSAGE_ID: Final = 1024
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Message(msgspec.Struct, frozen=True):
    """A message of NATS. Published again as it is, it is stored once: its id is in its headers."""

    subject: Annotated[str, Meta(description="Where it is published.")]
    headers: Annotated[Mapping[str, str], Meta(description="By name.")]
    body: Annotated[bytes, Meta(description="The payload of the message.")]


class DeadEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that could not be handled, as it stands among the dead letters."""

    event: Annotated[str, Meta(description="The event id, or all of the subject if it has none.")]
    reason: Annotated[str, Meta(description="Why it could not be handled.")]
    subject: Annotated[str, Meta(description="Where it was published.")]
    message_id: Annotated[str | None, Meta(description="That of the event.")]
    deliveries: Annotated[int, Meta(description="How often it was delivered.")]
    headers: Annotated[Mapping[str, str], Meta(description="Its headers, and those of the letter.")]
    body: Annotated[bytes, Meta(description="As it was published.")]


def encode_event(
    event: str,
    payload: JsonObject,
    *,
    actor: Actor | None = None,
    context_key: str | None = None,
    message_id: str | None = None,
    traceparent: str | None = None,
    lane: str = "",
    prefix: str = PREFIX,
) -> Message:
    """Make the message that publishes an event.

    Args:
        event: Its id, such as `orders.created`.
        payload: A JSON object.
        actor: Who caused it; without one, the system.
        context_key: What it is about; empty: nothing; without one, as its type extracts it.
        message_id: Of two messages with one id the second is dropped; without one, a new one.
        traceparent: The W3C trace that the run shall continue.
        lane: A queue of its own, if the settings of the engine name it.
        prefix: The prefix of the engine.

    Raises:
        ValueError: The event id, a header, the lane or the prefix is not as it must be, or
            something in the payload is no JSON.
        TypeError: The payload is no object.
    """
    msgspec.convert(event, EventId)
    _check_word(prefix, "prefix")
    if lane:
        _check_word(lane, "lane")
    if not isinstance(payload, dict):
        raise TypeError(f"payload: an object is expected, got {type(payload).__name__}")
    head = {HEADER_MESSAGE_ID: str(uuid4()) if message_id is None else message_id}
    if actor is not None:
        head[HEADER_ACTOR] = msgspec.json.encode(actor).decode()
    if context_key is not None:
        head[HEADER_CONTEXT_KEY] = context_key
    if traceparent is not None:
        head[HEADER_TRACE] = traceparent
    _check_headers(head)
    try:
        body = msgspec.json.encode(payload)
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"payload: no JSON: {error}") from None
    queue = f"lane.{lane}.trigger" if lane else "trigger"
    return Message(f"{prefix}.{queue}.{event}", head, body)


def encode_done(done: ActionDone, *, prefix: str = PREFIX) -> Message:
    """Make the message that publishes the result of a remote action that was accepted."""
    payload: JsonObject = msgspec.to_builtins(done)
    # An id of its own: a later attempt at the same step has the same idempotency key.
    return encode_event(ACTION_DONE, payload, prefix=prefix)


def decode_run_event(body: bytes) -> RunEvent:
    """Read a message of `lockstep.run.>`; raises ValueError if it is none."""
    return msgspec.json.decode(body, type=RunEvent)


def decode_automation_event(body: bytes) -> AutomationEvent:
    """Read a message of `lockstep.automation.>`; raises ValueError if it is none."""
    return msgspec.json.decode(body, type=AutomationEvent)


def decode_dead_letter(
    headers: Mapping[str, str], body: bytes, *, prefix: str = PREFIX
) -> DeadEvent:
    """Read a message of `lockstep.dead.>`.

    Raises:
        ValueError: It has not the headers of a dead letter.
    """
    try:
        subject, reason = headers[HEADER_SUBJECT], headers[HEADER_REASON]
        deliveries = int(headers[HEADER_DELIVERIES])
    except KeyError as error:
        raise ValueError(f"no dead letter: the header {error.args[0]} is missing") from None
    return DeadEvent(
        event=event_of(subject, prefix=prefix),
        reason=reason,
        subject=subject,
        message_id=headers.get(HEADER_ORIGINAL_ID),
        deliveries=deliveries,
        headers=headers,
        body=body,
    )


def event_of(subject: str, *, prefix: str = PREFIX) -> str:
    """Give the event id of a subject, of a lane or not; a subject of another kind as it is."""
    if subject.startswith(f"{prefix}.trigger."):
        return subject.removeprefix(f"{prefix}.trigger.")
    if subject.startswith(f"{prefix}.lane."):
        lane, found, event = subject.removeprefix(f"{prefix}.lane.").partition(".trigger.")
        if found and "." not in lane:
            return event
    return subject


def decode_action_request(body: bytes) -> ActionRequest:
    """Read a request on `lockstep.action.<plugin>.<name>`; raises ValueError if it is none."""
    return msgspec.json.decode(body, type=ActionRequest)


def encode_action_reply(reply: ActionReply) -> bytes:
    """Write the body of the answer."""
    return msgspec.json.encode(reply)


def decode_secret_request(body: bytes) -> SecretRequest:
    """Read a request on `lockstep.secret`; raises ValueError if it is none."""
    return msgspec.json.decode(body, type=SecretRequest)


def encode_secret_reply(reply: SecretReply) -> bytes:
    """Write the body of the answer."""
    return msgspec.json.encode(reply)


def _check_word(text: str, what: str) -> None:
    if not _WORD.fullmatch(text):
        raise ValueError(f"{what}: letters, digits, `_`, `-`, 64 at most, are expected: {text!r}")


def _check_headers(head: Mapping[str, str]) -> None:
    if not 0 < len(head[HEADER_MESSAGE_ID].encode()) <= MAX_MESSAGE_ID:
        raise ValueError(f"message id: 1 to {MAX_MESSAGE_ID} bytes are expected")
    for name, value in head.items():
        if value != value.strip() or (value and not value.isprintable()):
            wanted = "one line without blanks around it is expected"
            raise ValueError(f"{name}: {wanted}, got {value!r}")
