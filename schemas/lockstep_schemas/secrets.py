"""Secrets over the bus: what the engine asks on `lockstep.secret`, and the answer."""

from typing import Annotated

import msgspec
from msgspec import Meta

from .base import Struct


class SecretRequest(Struct, frozen=True, omit_defaults=False):
    """Which secret, and what for: the service may refuse it to some automations."""

    name: Annotated[str, Meta(description="As in `${{ secrets.NAME }}`.")]
    run_id: Annotated[str, Meta(description="The run that needs it.")]
    automation_id: Annotated[str, Meta(description="Its automation.")]


class SecretReply(msgspec.Struct, frozen=True, kw_only=True):
    """Its value; without one, it is not known; with an error, it may not be had."""

    value: Annotated[str | None, Meta(description="Its value; null: it is not known here.")] = None
    error: Annotated[str | None, Meta(description="Why it may not be had.")] = None
