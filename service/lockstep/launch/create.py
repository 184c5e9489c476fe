"""Launch: a run row for each admission. A refusal is a row too: it says why."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from lockstep.model.admissions import Admission, Outcome
from lockstep.model.ids import uuid7
from lockstep.model.new_runs import NewRun
from lockstep.model.runs import RunState
from lockstep.ports.launch import LaunchTransaction
from lockstep_schemas.run_events import RunStatus

REFUSED: Final[Mapping[Outcome, RunStatus]] = {
    "refuse": "skipped",
    "replace": "cancelled",
    "supersede": "cancelled",
}


async def create(
    admissions: Sequence[Admission], places: int, now: datetime, tx: LaunchTransaction
) -> list[NewRun]:
    """Insert the runs: as many as there are places are this worker's at once, the rest are ready.

    Returns:
        All that was inserted, in order.
    """
    new_runs = []
    for admission in admissions:
        status: RunStatus = REFUSED.get(admission.outcome, "pending")
        if admission.outcome == "start" and places > 0:
            status, places = "running", places - 1
        new_runs.append(
            NewRun(
                id=uuid7(),
                match=admission.match,
                status=status,
                reason=admission.reason,
                at=now,
                queue_key=admission.queue_key if status in {"running", "pending"} else None,
                queued=admission.outcome == "queue",
            )
        )
    if new_runs:
        await tx.create_runs(new_runs)
    for new_run in new_runs:
        if new_run.match.revival is not None and new_run.status in {"running", "pending"}:
            await tx.copy_steps(new_run.id, new_run.match.revival)
    return new_runs


def state(new_run: NewRun) -> RunState:
    """Give what the walk of a run that was born `running` begins with."""
    match, event = new_run.match, new_run.match.event
    return RunState(
        id=new_run.id,
        automation_id=match.automation.id,
        automation_name=match.automation.name,
        version=match.automation.version,
        trigger_id=match.trigger.id,
        trigger_event_id=event.id,
        trigger_payload=event.payload,
        trigger_time=event.time,
        message_id=event.message_id,
        hop=event.hop,
        actor=event.actor,
        context_key=event.context_key,
        started_at=new_run.at,
        epoch=1,
        queue_key=new_run.queue_key,
        traceparent=event.traceparent,
        parent_run_id=event.parent.run_id if event.parent else None,
        document=match.revival.document if match.revival is not None else None,
    )
