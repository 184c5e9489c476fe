"""Runs about to be inserted, and the runs that are tried again."""

from datetime import datetime
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch
from lockstep_schemas.run_events import RunStatus


class RunToRetry(msgspec.Struct, frozen=True, kw_only=True):
    """A run that an operator wants again: its event, how it ended, and what it stood at."""

    id: UUID
    event: Event
    automation_id: str
    automation_status: str | None  # None: it was deleted
    version: int
    trigger_id: str
    status: RunStatus
    document: bytes | None


class NewRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run row that is about to be inserted."""

    id: UUID
    match: TriggerMatch
    status: RunStatus  # running with this worker as its owner, pending, skipped or cancelled
    reason: str | None
    at: datetime
    queue_key: str | None = None
    queued: bool = False
