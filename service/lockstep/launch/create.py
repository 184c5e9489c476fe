"""Launch: a run row for each admission. A refusal is a row too: it says why."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from lockstep.model.ids import uuid7
from lockstep.model.matches import Admission, Birth, Outcome
from lockstep.model.runs import RunState
from lockstep.ports import Transaction
from lockstep_schemas.run_events import RunStatus

REFUSED: Final[Mapping[Outcome, RunStatus]] = {
    "refuse": "skipped",
    "replace": "cancelled",
    "supersede": "cancelled",
}


async def create(
    admissions: Sequence[Admission], places: int, now: datetime, tx: Transaction
) -> list[Birth]:
    """Insert the runs: as many as there are places are this worker's at once, the rest are ready.

    Returns:
        All that was inserted, in order.
    """
    births = []
    for admission in admissions:
        status: RunStatus = REFUSED.get(admission.outcome, "pending")
        if admission.outcome == "start" and places > 0:
            status, places = "running", places - 1
        births.append(
            Birth(
                id=uuid7(),
                hit=admission.hit,
                status=status,
                reason=admission.reason,
                at=now,
                gate=admission.gate if status in {"running", "pending"} else None,
                queued=admission.outcome == "queue",
            )
        )
    if births:
        await tx.create_runs(births)
    for birth in births:
        if birth.hit.revival is not None and birth.status in {"running", "pending"}:
            await tx.copy_steps(birth.id, birth.hit.revival)
    return births


def state(birth: Birth) -> RunState:
    """Give what the walk of a run that was born `running` begins with."""
    hit, event = birth.hit, birth.hit.event
    return RunState(
        id=birth.id,
        automation_id=hit.automation.id,
        automation_name=hit.automation.name,
        version=hit.automation.version,
        trigger_id=hit.trigger.id,
        trigger_event_id=event.id,
        trigger_payload=event.payload,
        trigger_time=event.time,
        message_id=event.message_id,
        hop=event.hop,
        actor=event.actor,
        context_key=event.context_key,
        started_at=birth.at,
        epoch=1,
        gate=birth.gate,
        traceparent=event.traceparent,
        parent_run_id=event.parent.run_id if event.parent else None,
        document=hit.revival.document if hit.revival is not None else None,
    )
