"""What is counted in the tables for whoever watches."""

from collections.abc import Mapping

import msgspec


class Numbers(msgspec.Struct, frozen=True):
    """How much there is of what moves, in all replicas."""

    runs: Mapping[str, int]  # active ones by status
    ready: int
    waits: Mapping[str, int]  # armed ones by kind
    outbox: int
    outbox_oldest_seconds: float
