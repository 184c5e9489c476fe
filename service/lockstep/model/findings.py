"""What a look at the whole finds: figures; and what was checked, how it is, and how to mend it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from lockstep_schemas.parked import ParkedKind
from lockstep_schemas.status import OutboxStatus, RunsStatus, WaitsStatus, WorkerStatus

MOST_SECONDS: Final = 1.0
"""By how much clocks may differ: alarms of the bus are due one second after their time."""

CLOCKS: Final = "have the clocks of all machines set by NTP (chrony, systemd-timesyncd)"

Verdict: TypeAlias = Literal["ok", "unknown", "warning", "fault"]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was checked."""

    check: str  # for programs: `nats.version`
    verdict: Verdict
    found: str  # for people
    mend: str | None = None


def fine(check: str, found: str) -> Finding:
    """Say that it is as it must be."""
    return Finding(check, "ok", found)


def fault(check: str, found: str, mend: str) -> Finding:
    """Say that it is wrong, and what to do."""
    return Finding(check, "fault", found, mend)


def warning(check: str, found: str, mend: str) -> Finding:
    """Say that it works, and what it costs."""
    return Finding(check, "warning", found, mend)


def unknown(check: str, found: str, mend: str | None = None) -> Finding:
    """Say that it cannot be told."""
    return Finding(check, "unknown", found, mend)


def clock(check: str, name: str, theirs: datetime, before: float, after: float) -> Finding:
    """Compare the clock of a server with ours, as it was before and after the question."""
    other = theirs.timestamp()
    seconds = max(before - other, other - after, 0.0)
    if seconds <= MOST_SECONDS:
        return fine(check, f"the clock of {name} is ours, to {max(after - before, 0.001):.3f} s")
    side = "behind" if other < before else "ahead of"
    return fault(
        check,
        f"the clock of {name} is {seconds:.1f} s {side} that of this machine",
        CLOCKS,
    )


class StoredFigures(NamedTuple):
    """What is stored at one moment, in numbers, and in what."""

    version: str
    migration: str | None
    workers: list[WorkerStatus]
    runs: RunsStatus
    waits: WaitsStatus
    outbox: OutboxStatus
    parked: Mapping[ParkedKind, int]


class Numbers(msgspec.Struct, frozen=True):
    """How much there is of what moves, in all replicas."""

    runs: Mapping[str, int]  # active ones by status
    ready: int
    waits: Mapping[str, int]  # armed ones by kind
    outbox: int
    outbox_oldest_seconds: float
    parked: Mapping[str, int]  # by kind
