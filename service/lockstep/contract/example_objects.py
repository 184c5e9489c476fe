"""What examples are about: an automation, a run of it, what it makes and waits for."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from lockstep.contract.automations import DEFINITION
from lockstep_schemas import api, dead, parked, run_events, status
from lockstep_schemas.events import Actor

AT: Final = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
RUN_ID: Final = "0197f3a2-7c1e-7b4d-9a55-3f0c2d9e1b64"
TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
AUTOMATION_ID: Final = "triage-orders"
ANN: Final = Actor(type="user", id="ann", name="Ann")

AUTOMATION: Final = api.Automation(
    id=AUTOMATION_ID,
    name="Triage orders",
    description=None,
    status="enabled",
    group="orders",
    definition=DEFINITION,
    version=3,
    managed_by="apply",
    updated_by=ANN,
    created_at=AT,
    updated_at=AT,
)
RUN: Final = api.Run(
    id=RUN_ID,
    automation_id=AUTOMATION_ID,
    automation_name="Triage orders",
    version=3,
    trigger_id="orders_created",
    trigger_event_id="orders.created",
    trigger_payload={"id": "A-1", "amount": 1200, "to": "ann@example.org"},
    actor=ANN,
    context_key="A-1",
    status="waiting",
    error_message=None,
    reason=None,
    started_at=AT,
    finished_at=None,
    parent_run_id=None,
    waiting_for="event orders.paid",
)
STEP: Final = api.Step(
    seq=1,
    action_path="actions[1]",
    action_id=None,
    action_kind="wait_for_trigger",
    provider_action_id=None,
    status="waiting",
    attempts=1,
    error_message=None,
    result=None,
    started_at=AT,
    finished_at=None,
    io=[api.StepIo(what="config", value={"event": "orders.paid", "context_key": "A-1"})],
)
ARTIFACT: Final = api.Artifact(
    id="0197f3a2-7d00-7f11-8c01-5a6b7c8d9e0f",
    run_id=RUN_ID,
    action_id="mail",
    artifact_type="mailer.receipt",
    data={"number": 7},
    context_key="A-1",
    closed_at=None,
    created_at=AT,
)
WAIT: Final = api.Wait(
    id="0197f3a2-7d10-7a22-9b02-0f1e2d3c4b5a",
    action_path="actions[1]",
    kind="event",
    waiting_for="event orders.paid",
    event="orders.paid",
    context_key="A-1",
    filter=None,
    warning=None,
    state="armed",
    armed_at=AT,
    due_at=AT.replace(month=2, day=1),
)
LETTER: Final = dead.DeadLetter(
    id=17,
    event="orders.created",
    reason="the body is no JSON object but a list",
    subject="lockstep.trigger.orders.created",
    message_id="order-A-1",
    actor=None,
    context_key=None,
    published_at=AT,
    died_at=AT,
    deliveries=1,
    size=2,
)
PARKED: Final = parked.Parked(
    id=f"run:{RUN_ID}",
    kind="run",
    automation_id=AUTOMATION_ID,
    run_id=RUN_ID,
    event="orders.created",
    reason="automation triage-orders v3 cannot be read by this engine: no action 'mailer.send'",
    version="0.2.0",
    parked_at=AT,
)
ISSUE: Final = api.Issue(
    path=["actions", 0, "delay", "seconds"],
    message='expected an integer from 0 to 86400, got the text "a day"',
    line=7,
    column=24,
)
RUN_DATA: Final = run_events.RunEventData(
    run_id=RUN_ID,
    automation_id=AUTOMATION_ID,
    automation_name="Triage orders",
    version=3,
    seq=2,
    trigger_id="orders_created",
    trigger_event_id="orders.created",
    context_key="A-1",
    status="running",
    at=AT,
    path="actions[0].choose[0].sequence[0]",
    action_id="mail",
    action_kind="action",
    provider_action_id="mailer.send",
    attempts=1,
    duration_ms=84,
)
SUBSCRIPTION: Final = {
    "id": "sub-17",
    "name": "Order hook",
    "providerId": "integration-webhook.webhook",
    "providerConfig": {"url": "https://example.org/hook", "method": "POST"},
    "eventId": "orders.created",
    "enabled": True,
}
STATUS: Final = status.Status(
    at=AT,
    answered_by="0197f3a2-7000-7c11-8d22-1a2b3c4d5e6f",
    versions=status.ServerVersions(
        engine="0.1.0", nats="2.12.1", postgres="18.0", migration="0009_watching"
    ),
    workers=[
        status.WorkerStatus(
            id="0197f3a2-7000-7c11-8d22-1a2b3c4d5e6f",
            host="engine-0",
            version="0.1.0",
            started_at=AT,
            heartbeat_at=AT,
            silent_seconds=0.4,
            alive=True,
            runs=3,
        )
    ],
    queues=[
        status.QueueStatus(
            kind="events",
            name="events",
            stream="LOCKSTEP_TRIGGERS",
            consumer="engine",
            pending=0,
            ack_pending=2,
            redelivered=0,
            oldest_seconds=0.01,
        )
    ],
    runs=status.RunsStatus(running=3, ready=0, queued=1, waiting=12, oldest_ready_seconds=None),
    waits=status.WaitsStatus(
        delay=4, event=7, retry=1, remote=0, child=0, sleeping=5, next_due_at=AT
    ),
    outbox=status.OutboxStatus(events=0, oldest_seconds=None),
    dead_letters=1,
    parked={"run": 1},
    slow_automations=[status.SlowAutomation(automation_id=AUTOMATION_ID, average_ms=9.8)],
    clock=status.ClockStatus(
        stream="LOCKSTEP_TRIGGERS",
        leader="n1",
        ahead_ms=2.31,
        error_ms=0.4,
        measured_at=AT,
        begun_at=AT,
        begun_because="leader",
        was_ahead_ms=-1.02,
        doubt=None,
    ),
    problems=[],
)
ACTOR_HEADER: Final = msgspec.json.encode(ANN).decode()
KEY: Final = f"{RUN_ID}:actions[0].choose[0].sequence[0]"
