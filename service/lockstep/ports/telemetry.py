"""What is counted, measured and traced."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from lockstep.model.events import Event
from lockstep.model.messages import Message
from lockstep.model.runs import RunState
from lockstep.ports.clock import Clock
from lockstep_schemas.run_events import RunStatus


class Meter(Protocol):
    """Takes what is counted and measured; so quick that nobody needs to leave it out."""

    def event(self, outcome: str, number: int = 1) -> None:
        """Events were accepted, postponed, or dead-lettered."""
        ...

    def batch(self, events: int) -> None:
        """So many events went through one transaction, or were to."""
        ...

    def run_ended(self, automation_id: str, status: str, seconds: float | None) -> None:
        """A run has its final status; so long after its start, if it was started."""
        ...

    def step_ended(self, kind: str, seconds: float) -> None:
        """A step of this kind took so long."""
        ...

    def woke(self, seconds_late: float) -> None:
        """A wait was fired so long after its time."""
        ...

    def answered(self, endpoint: str, code: str) -> None:
        """A request of the control API was answered."""
        ...

    def listener_failed(self, listener: str, number: int = 1) -> None:
        """A listener raised at what it heard; none, to have its name shown."""
        ...

    def service_failed(self, service: str, number: int = 1) -> None:
        """A background service raised, or ended by itself; none, to have its name shown."""
        ...

    def stalled(self, seconds: float) -> None:
        """The loop stood still for so long."""
        ...


class StepSpan(Protocol):
    """The span of one call of an action."""

    @property
    def traceparent(self) -> str:
        """The trace context for whatever the call publishes and asks."""
        ...

    def failed(self, error: str) -> None:
        """Say why the call has failed."""
        ...


class Traces(Protocol):
    """Writes spans, all dated by the one clock; there is none where traces are off."""

    def begun(self, event: Event, at: datetime) -> Event:
        """Begin the span of an event that was taken; give the event within it."""
        ...

    def handled(self, messages: Sequence[Message], error: str | None, at: datetime) -> None:
        """End the spans of events."""
        ...

    def step(
        self, run: RunState, path: str, action: str, attempt: int, clock: Clock
    ) -> AbstractContextManager[StepSpan]:
        """Have a span around a call."""
        ...

    def run_ended(self, run: RunState, status: RunStatus, at: datetime, error: str | None) -> None:
        """Write the span of a run that has ended."""
        ...

    def traceparent(self, run: RunState) -> str:
        """Give the trace context within the span of a run."""
        ...
