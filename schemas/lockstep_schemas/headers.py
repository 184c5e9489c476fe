"""The headers of what crosses the bus. All are texts, and all may be left out by a publisher."""

from typing import Annotated

from msgspec import Meta, field

from .base import END, Struct
from .events import (
    CLOUD_EVENT,
    HEADER_ACTOR,
    HEADER_CE_ID,
    HEADER_CE_TRACE,
    HEADER_CONTENT_TYPE,
    HEADER_CONTEXT_KEY,
    HEADER_DELIVERIES,
    HEADER_DROPPED,
    HEADER_FOR,
    HEADER_FORMAT,
    HEADER_HOP,
    HEADER_MESSAGE_ID,
    HEADER_ORIGINAL_ID,
    HEADER_REASON,
    HEADER_SUBJECT,
    HEADER_TRACE,
)

Text = str | None


class EventHeaders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The headers of an event that mean something to the engine; others are kept and ignored."""

    message_id: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="Message id: the stream drops repeats within its window."),
    ] = field(name=HEADER_MESSAGE_ID, default=None)
    ce_id: Annotated[
        Annotated[str, Meta(max_length=1024)] | None,
        Meta(description="Of a CloudEvent in binary form: the message id if there is no other."),
    ] = field(name=HEADER_CE_ID, default=None)
    actor: Annotated[
        Text, Meta(description="Who caused it: JSON `{type, id, name}`; without it the system.")
    ] = field(name=HEADER_ACTOR, default=None)
    context_key: Annotated[
        Text,
        Meta(description="Overrides the key that the type of trigger extracts; empty: no key."),
    ] = field(name=HEADER_CONTEXT_KEY, default=None)
    hop: Annotated[
        Annotated[str, Meta(pattern=f"^[0-9]{{1,6}}{END}")] | None,
        Meta(description="Depth of the chain of causes; the engine sets it on what it publishes."),
    ] = field(name=HEADER_HOP, default=None)
    traceparent: Annotated[
        Text, Meta(description="W3C trace context; the run continues the trace.")
    ] = field(name=HEADER_TRACE, default=None)
    ce_traceparent: Annotated[
        Text,
        Meta(
            description="Of a CloudEvent in binary form: its trace context, where `traceparent` "
            "has none."
        ),
    ] = field(name=HEADER_CE_TRACE, default=None)
    only: Annotated[
        Text,
        Meta(
            description="Who alone it is for: the id of an automation, or `wait:<id>`. The engine "
            "sets it where all others have had the event."
        ),
    ] = field(name=HEADER_FOR, default=None)
    content_type: Annotated[
        Text,
        Meta(description="`application/cloudevents+json`: the body is a CloudEvent around it."),
    ] = field(name=HEADER_CONTENT_TYPE, default=None)


class RunEventHeaders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The headers of a run event, and of an event about an automation."""

    message_id: Annotated[str, Meta(description="The `id` of the event.")] = field(
        name=HEADER_MESSAGE_ID
    )
    format: Annotated[
        str,
        Meta(
            pattern=f"^[0-9]+{END}",
            description="Raised when a field goes or means something else. Fields and kinds that "
            "are added do not raise it: ignore what you do not know.",
        ),
    ] = field(name=HEADER_FORMAT)
    content_type: Annotated[
        Text,
        Meta(description=f"`{CLOUD_EVENT}`; what an earlier version has stored has none."),
    ] = field(name=HEADER_CONTENT_TYPE, default=None)
    trace: Annotated[Text, Meta(description="The trace of the run, as W3C has it.")] = field(
        name=HEADER_TRACE, default=None
    )


class DeadLetterHeaders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The headers of a dead letter, beside those of the event."""

    reason: Annotated[str, Meta(description="Why the event could not be handled; one line.")] = (
        field(name=HEADER_REASON)
    )
    subject: Annotated[str, Meta(description="The subject on which the event was published.")] = (
        field(name=HEADER_SUBJECT)
    )
    deliveries: Annotated[
        str, Meta(pattern=f"^[0-9]+{END}", description="How often the event was delivered.")
    ] = field(name=HEADER_DELIVERIES)
    message_id: Annotated[
        str,
        Meta(
            description="`<stream>:<sequence>:<time in ns>` of the event, so it stands here once; "
            "behind that, who alone it is for."
        ),
    ] = field(name=HEADER_MESSAGE_ID)
    original_id: Annotated[Text, Meta(description="The message id of the event.")] = field(
        name=HEADER_ORIGINAL_ID, default=None
    )
    dropped: Annotated[
        Annotated[str, Meta(pattern=f"^[0-9]+{END}")] | None,
        Meta(description="Headers of the event for which there was no room."),
    ] = field(name=HEADER_DROPPED, default=None)
    only: Annotated[
        Text,
        Meta(description="Who alone has not had it: the id of an automation, or `wait:<id>`."),
    ] = field(name=HEADER_FOR, default=None)
    actor: Annotated[Text, Meta(description="As the event had it.")] = field(
        name=HEADER_ACTOR, default=None
    )
    context_key: Annotated[Text, Meta(description="As the event had it.")] = field(
        name=HEADER_CONTEXT_KEY, default=None
    )


class RequestHeaders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The headers of a request to the control API."""

    actor: Annotated[
        Text, Meta(description="Who asks: JSON `{type, id, name}`; kept with what is changed.")
    ] = field(name=HEADER_ACTOR, default=None)


class ErrorHeaders(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The headers of an error reply, as NATS services have them."""

    code: Annotated[
        str,
        Meta(pattern=f"^(400|404|409|500|503){END}", description="400, 404, 409, 500 or 503."),
    ] = field(name="Nats-Service-Error-Code")
    error: Annotated[str, Meta(description="What is wrong, in one line.")] = field(
        name="Nats-Service-Error"
    )
