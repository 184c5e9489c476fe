"""Events: who caused one, and what a run sees of it."""

from typing import Annotated, Literal

from msgspec import Meta

from .base import Struct

ActorType = Literal["user", "application", "service", "system"]


class Actor(Struct, frozen=True):
    """Who caused an event or a change."""

    type: Annotated[ActorType, Meta(description="What kind of actor.")] = "system"
    id: Annotated[str | None, Meta(description="Its id where it comes from.")] = None
    name: Annotated[str | None, Meta(description="For people.")] = None


HEADER_MESSAGE_ID = "Nats-Msg-Id"
HEADER_ACTOR = "Lockstep-Actor"
HEADER_CONTEXT_KEY = "Lockstep-Context-Key"
HEADER_HOP = "Lockstep-Hop"
HEADER_REASON = "Lockstep-Reason"
HEADER_SUBJECT = "Lockstep-Subject"
HEADER_ORIGINAL_ID = "Lockstep-Message-Id"
HEADER_DELIVERIES = "Lockstep-Deliveries"
HEADER_DROPPED = "Lockstep-Headers-Dropped"
HEADER_FORMAT = "Lockstep-Format"
HEADER_FOR = "Lockstep-For"
HEADER_TRACE = "traceparent"
HEADER_CE_ID = "ce-id"
HEADER_CE_TRACE = "ce-traceparent"
HEADER_CONTENT_TYPE = "content-type"

CLOUD_EVENT = "application/cloudevents+json"
"""Of a CloudEvent in structured form: the whole of it is the body."""

ACTION_DONE = "lockstep.action.done"
"""The one event id of the engine's own that others publish: the result of a remote action."""
