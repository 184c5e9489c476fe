"""Events: who caused one, and what a run sees of it."""

from typing import Literal

from .base import Struct

ActorType = Literal["user", "application", "service", "system"]


class Actor(Struct, frozen=True):
    """Who caused an event or a change."""

    type: ActorType = "system"
    id: str | None = None
    name: str | None = None


HEADER_MESSAGE_ID = "Nats-Msg-Id"
HEADER_ACTOR = "Lockstep-Actor"
HEADER_CONTEXT_KEY = "Lockstep-Context-Key"
HEADER_HOP = "Lockstep-Hop"
HEADER_REASON = "Lockstep-Reason"
HEADER_TRACE = "traceparent"
HEADER_CE_ID = "ce-id"

ACTION_DONE = "lockstep.action.done"
"""The one event id of the engine's own that others publish: the result of a remote action."""
