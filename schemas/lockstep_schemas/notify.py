"""Notifications: what the engine asks of the service that delivers them, and what that answers.

The engine sends a request to `<prefix>.notify`; whoever knows the users answers it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .base import Struct

Importance = Literal["info", "warning", "critical"]


class NotifyRequest(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Tell a user something, on the channels that suit the user and the importance."""

    userId: Annotated[str, Meta(description="Who is told.")]  # noqa: N815 - as automations write it
    title: Annotated[str, Meta(description="One line.")]
    body: Annotated[str, Meta(description="The text.")]
    importance: Annotated[Importance, Meta(description="How urgent it is.")]
    run_id: Annotated[str, Meta(description="The run that tells it.")]
    automation_id: Annotated[str, Meta(description="Its automation.")]
    idempotency_key: Annotated[str, Meta(description="The same for every attempt: deliver once.")]


class ChannelResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one channel fared. Keys that are not known are passed over."""

    channel: Annotated[str, Meta(description="Such as `mail`.")]
    success: Annotated[bool, Meta(description="Whether it was delivered there.")]
    error: Annotated[str | None, Meta(description="Why not.")] = None


class NotifyReply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notification: `results`, `deliveredCount`, or both.

    Without a count, it is the number of channels that were successful.
    """

    results: Annotated[
        list[ChannelResult] | UnsetType, Meta(description="One for each channel.")
    ] = UNSET
    deliveredCount: Annotated[  # noqa: N815
        int | UnsetType, Meta(description="On how many channels.")
    ] = UNSET


class NotifyUserResult(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The artifact of `automation.notify_user`."""

    userId: Annotated[str, Meta(description="Who was told.")]  # noqa: N815
    deliveredCount: Annotated[int, Meta(description="On how many channels.")]  # noqa: N815
    results: Annotated[list[ChannelResult], Meta(description="One for each channel.")]
