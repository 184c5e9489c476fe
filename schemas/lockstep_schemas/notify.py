"""Notifications: what the engine asks of the service that delivers them, and what that answers.

The engine sends a request to `<prefix>.notify`; whoever knows the users answers it.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from .base import Struct

Importance = Literal["info", "warning", "critical"]


class NotifyRequest(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Tell a user something, on the channels that suit the user and the importance."""

    userId: str  # noqa: N815 - as automations write it
    title: str
    body: str
    importance: Importance
    run_id: str
    automation_id: str
    idempotency_key: str
    """The same for every attempt: deliver once."""


class ChannelResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one channel fared. Keys that are not known are passed over."""

    channel: str
    success: bool
    error: str | None = None


class NotifyReply(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a notification: `results`, `deliveredCount`, or both.

    Without a count, it is the number of channels that were successful.
    """

    results: list[ChannelResult] | UnsetType = UNSET
    deliveredCount: int | UnsetType = UNSET  # noqa: N815 - as templates read it


class NotifyUserResult(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The artifact of `automation.notify_user`."""

    userId: str  # noqa: N815
    deliveredCount: int  # noqa: N815
    results: list[ChannelResult]
