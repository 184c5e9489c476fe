"""What the store tells of how the whole is."""

from typing import NamedTuple

from lockstep_schemas.status import OutboxStatus, RunsStatus, WaitsStatus, WorkerStatus


class Stored(NamedTuple):
    """What is stored at one moment, in numbers, and in what."""

    version: str
    migration: str | None
    workers: list[WorkerStatus]
    runs: RunsStatus
    waits: WaitsStatus
    outbox: OutboxStatus
