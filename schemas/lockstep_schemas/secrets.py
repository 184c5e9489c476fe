"""Secrets over the bus: what the engine asks on `lockstep.secret`, and the answer."""

import msgspec

from .base import Struct


class SecretRequest(Struct, frozen=True, omit_defaults=False):
    """Which secret, and what for: the service may refuse it to some automations."""

    name: str
    run_id: str
    automation_id: str


class SecretReply(msgspec.Struct, frozen=True, kw_only=True):
    """Its value; without one, it is not known; with an error, it may not be had."""

    value: str | None = None
    error: str | None = None
