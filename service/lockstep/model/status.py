"""What the store tells of how the whole is."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from lockstep_schemas.status import OutboxStatus, RunsStatus, WaitsStatus, WorkerStatus


class StoredFigures(NamedTuple):
    """What is stored at one moment, in numbers, and in what."""

    version: str
    migration: str | None
    workers: list[WorkerStatus]
    runs: RunsStatus
    waits: WaitsStatus
    outbox: OutboxStatus


class Numbers(msgspec.Struct, frozen=True):
    """How much there is of what moves, in all replicas."""

    runs: Mapping[str, int]  # active ones by status
    ready: int
    waits: Mapping[str, int]  # armed ones by kind
    outbox: int
    outbox_oldest_seconds: float
