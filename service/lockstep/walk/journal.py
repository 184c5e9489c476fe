"""What a walk has done and not yet stored: step rows, run events, artifacts.

A walk notes here, without waiting, and `Walk.checkpoint` stores all of it in one commit.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from lockstep.model.outbox import EventRow
from lockstep.model.run_events import run_event
from lockstep.model.runs import ArtifactRow, Checkpoint, RunState, StepRow
from lockstep.model.texts import storable
from lockstep.model.waits import WaitRow
from lockstep.ports.clock import Clock
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunStatus, What

# Rows after which a walk stores what it has, effect or not: it bounds its memory, and the commit.
FULL: Final = 500
FULL_BYTES: Final = 1 << 20  # a quarter of what one statement stores
WARNINGS: Final = 16  # of one step: a loop of ten thousand iterations may warn in each


class Journal:
    """The notes of one walk since its last checkpoint."""

    def __init__(
        self,
        run: RunState,
        clock: Clock,
        prefix: str,
        *,
        step_events: bool,
        traceparent: str | None = None,
    ) -> None:
        self.run, self.clock, self.prefix, self.step_events = run, clock, prefix, step_events
        self.steps: dict[int, StepRow] = {}
        self.events: list[EventRow] = []
        self.artifacts: list[ArtifactRow] = []
        self.waits: list[WaitRow] = []
        self.over: list[UUID] = []  # waits that were taken up
        self.closed: list[UUID] = []  # artifacts that were closed
        self.event_seq = run.event_seq
        self._traceparent = traceparent  # of the span of the run, where there are traces

    @property
    def is_full(self) -> bool:
        """Whether it should be stored now, to keep memory bounded."""
        if len(self.steps) + len(self.events) >= FULL:
            return True
        return sum([len(one.data) for one in self.artifacts]) >= FULL_BYTES

    def step(self, row: StepRow) -> None:
        """Note a step row, new or changed."""
        self.steps[row.seq] = row

    def event(
        self,
        what: What,
        status: RunStatus,
        at: datetime,
        *,
        row: StepRow | None = None,
        error: str | None = None,
        reason: str | None = None,
        waiting_for: str | None = None,
        duration_ms: int | None = None,
    ) -> None:
        """Note a run event; the seq is given here, so it has no gap."""
        self.event_seq += 1
        self.events.append(
            run_event(
                self.prefix,
                self.run,
                self.event_seq,
                what,
                status,
                at,
                row=row,
                error=error,
                reason=reason,
                waiting_for=waiting_for,
                duration_ms=duration_ms,
                traceparent=self._traceparent,
            )
        )

    def warn(self, row: StepRow, message: str) -> None:
        """Note a warning on a step, and tell ops; of many, the step keeps the last ones."""
        kept: Json = row.result if isinstance(row.result, dict) else {}
        message = storable(message)
        warnings = [*kept.get("warnings", []), message]
        row.result = {**kept, "warnings": warnings[-WARNINGS:]}
        self.step(row)
        self.event("warning", "running", self.clock.now(), row=row, reason=message)

    def refused(self, taken: Checkpoint) -> None:
        """Forget the rows that the store refused, but not the events: their seq has no gap."""
        self.steps.clear()
        self.artifacts.clear()
        self.waits.clear()
        self.events = taken.events + self.events
        self.over = taken.over + self.over
        self.closed = taken.closed + self.closed

    def take(
        self,
        document: bytes | None,
        status: RunStatus,
        reason: str | None,
        error: str | None,
        deadline: UUID | None,
        wakes: int,
    ) -> Checkpoint:
        """Hand over all notes, to be stored with the frames; the journal is empty then."""
        self.run.event_seq = self.event_seq
        checkpoint = Checkpoint(
            run=self.run,
            at=self.clock.now(),
            document=document,
            status=status,
            reason=storable(reason) if reason is not None else None,
            error=storable(error) if error is not None else None,
            steps=list(self.steps.values()),
            events=self.events,
            artifacts=self.artifacts,
            waits=self.waits,
            over=self.over,
            closed=self.closed,
            deadline=deadline,
            wakes=wakes,
        )
        self.steps, self.events, self.artifacts, self.waits = {}, [], [], []
        self.over, self.closed = [], []
        return checkpoint
