"""Lockstep: turns events on NATS JetStream into durable automations."""

from typing import Final

__version__: Final = "0.1.0"
