"""What is measured and traced of what is committed."""

from collections.abc import Sequence

from lockstep.model.new_runs import NewRun
from lockstep.model.runs import Checkpoint, Ended
from lockstep.ports.listeners import Listener
from lockstep.ports.telemetry import Meter, Traces
from lockstep_schemas.run_events import ACTIVE


class Measured(Listener):
    """Measures runs and steps."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def launched(self, runs: Sequence[NewRun]) -> None:
        """Count runs that were over before they began."""
        for run in runs:
            if run.status in {"skipped", "cancelled"}:
                self._meter.run_ended(run.match.automation.id, run.status, None)

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Measure what walks have done."""
        for checkpoint in done:
            for step in checkpoint.steps:
                if step.finished_at is not None:
                    seconds = (step.finished_at - step.started_at).total_seconds()
                    self._meter.step_ended(step.kind, seconds)
            if checkpoint.status not in ACTIVE:
                run = checkpoint.run
                seconds = (checkpoint.at - run.started_at).total_seconds()
                self._meter.run_ended(run.automation_id, checkpoint.status, seconds)

    def ended(self, ended: Sequence[Ended]) -> None:
        """Measure runs that did not end by themselves."""
        for one in ended:
            run, ending = one.run, one.ending
            seconds = (ending.at - run.started_at).total_seconds() if one.has_started else None
            self._meter.run_ended(run.automation_id, ending.status, seconds)


class Traced(Listener):
    """Writes the spans of runs that have ended."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Write the spans of runs that have ended by themselves."""
        for one in done:
            if one.status not in ACTIVE:
                self._traces.run_ended(one.run, one.status, one.at, one.error or one.reason)

    def ended(self, ended: Sequence[Ended]) -> None:
        """Write the spans of runs that were ended."""
        for one in ended:
            text = one.ending.error or one.ending.reason
            self._traces.run_ended(one.run, one.ending.status, one.ending.at, text)
