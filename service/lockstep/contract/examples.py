"""Examples of what crosses the edge: values of the structs, so that they are what they say."""

from collections.abc import Mapping
from typing import Final

import msgspec

from lockstep.contract.automations import DEFINITION, GUARD
from lockstep.contract.example_objects import (
    ACTOR_HEADER,
    ANN,
    ARTIFACT,
    AT,
    AUTOMATION,
    AUTOMATION_ID,
    ISSUE,
    KEY,
    LETTER,
    PARKED,
    RUN,
    RUN_DATA,
    RUN_ID,
    STATUS,
    STEP,
    SUBSCRIPTION,
    TRACE,
    WAIT,
)
from lockstep_schemas import (
    api,
    catalog,
    dead,
    events,
    headers,
    migration,
    notify,
    parked,
    registration,
    remote,
    run_events,
    secrets,
    status,
    why,
)
from lockstep_schemas.base import JsonObject
from lockstep_schemas.definition import AutomationDocument, Definition

VALUES: Final[tuple[msgspec.Struct, ...]] = (
    AUTOMATION,
    api.AutomationsList(limit=20, status="enabled", group="orders"),
    api.AutomationsPage([AUTOMATION], 1, 50, 0),
    api.ById(RUN_ID),
    api.AutomationCreate(name="Triage orders", definition=DEFINITION, group="orders"),
    api.AutomationUpdate(id=AUTOMATION_ID, definition=DEFINITION, expected_version=3),
    api.AutomationToggle(AUTOMATION_ID, enabled=False),
    api.ValidateRequest(source="name: Hello\ntriggers:\n  - event: demo.hello\n"),
    api.ValidateRequest(definition=DEFINITION),
    api.Validation(valid=False, errors=[ISSUE], warnings=[]),
    api.VersionsGet(AUTOMATION_ID),
    api.Versions([api.Version(3, DEFINITION, AT, 1)]),
    api.Success(),
    api.Fault(
        code="bad_request",
        error="definition.invalid",
        message="the definition is refused",
        issues=[ISSUE],
    ),
    api.RunStart(automation_id=AUTOMATION_ID, payload={"amount": 1200}, context_key="A-1"),
    api.RunStarted(RUN_ID, "waiting"),
    api.RunsList(automation_id=AUTOMATION_ID, status="failed", error="timed out", since=AT),
    api.RunsPage(items=[RUN], total=1, limit=50, offset=0),
    api.RunGet(RUN_ID),
    api.RunDetail(run=RUN, steps=[STEP], artifacts=[ARTIFACT], waits=[WAIT]),
    api.RunCancel(RUN_ID, "it was the wind"),
    api.RunsCancel(where=api.RunsFilter(automation_id=AUTOMATION_ID), reason="a false alarm"),
    api.RunsRetry(where=api.RunsFilter(error="timed out", since=AT)),
    api.RunsDone(
        1, [api.RunFault(RUN_ID, "refused", "the automation is disabled")], [RUN_ID], "4711"
    ),
    api.RunRetry(id=RUN_ID, from_="failed"),
    api.RunRetried(RUN_ID),
    why.WhyRequest(event="orders.created"),
    why.Why(
        [
            why.HandledEvent(
                event="orders.created",
                message_id="order-A-1",
                delivery="LOCKSTEP_TRIGGERS:42:1769860800000000000",
                handled_at=AT,
                consequences=[
                    why.Consequence(
                        automation_id=AUTOMATION_ID,
                        trigger_id="orders_created",
                        outcome="refused",
                        gate="filter",
                        detail="false: trigger.payload.amount > 0; `trigger.payload.amount` is 0",
                        run_id=None,
                    )
                ],
            )
        ]
    ),
    catalog.CatalogList(),
    catalog.Triggers(
        [
            catalog.TriggerInfo(
                qualified_id="orders.created",
                display_name="Order created",
                description=None,
                category="Shop",
                owner_plugin_id="orders",
                payload_schema={"type": "object"},
                config_schema=None,
                context_key="/id",
                source="bus",
            )
        ]
    ),
    catalog.Actions(
        [
            catalog.ActionInfo(
                qualified_id="mailer.send",
                display_name="Send a mail",
                description=None,
                category="Mail",
                owner_plugin_id="mailer",
                config_schema={"type": "object", "properties": {"to": {"type": "string"}}},
                produces="mailer.receipt",
                consumes=[],
                closes=[],
                timeout_seconds=30,
                retry_safe=True,
                source="bus",
            )
        ]
    ),
    catalog.Filters(
        [
            catalog.FilterInfo(
                name="divisibleby",
                kind="test",
                usage="is divisibleby(num)",
                description="Say whether a number can be divided by another without a rest.",
                owner_plugin_id=None,
            )
        ]
    ),
    catalog.ArtifactTypes(
        [
            catalog.ArtifactTypeInfo(
                qualified_id="mailer.receipt",
                display_name="Receipt",
                description=None,
                owner_plugin_id="mailer",
                schema={"type": "object"},
            )
        ]
    ),
    catalog.RenderRequest(template="Hello, {{ name }}!", context={"name": "Ann"}),
    catalog.Rendered(success=True, output="Hello, Ann!"),
    dead.DeadList(event="orders.*", error="no JSON", limit=20),
    dead.DeadPage([LETTER], 1, 50, None),
    dead.DeadById(17),
    dead.DeadDetail(letter=LETTER, headers={"Nats-Msg-Id": "order-A-1"}, body="[]"),
    dead.DeadSelect(ids=[17]),
    dead.DeadSelect(event="orders.*"),
    dead.DeadDone(1, [dead.DeadFault(18, "not_found", "dead letter '18' not found")]),
    parked.ParkedList(kind="run", limit=20),
    parked.ParkedPage(items=[PARKED], total=1, limit=20, next_cursor=None),
    parked.ParkedById(PARKED.id),
    parked.ParkedDetail(parked=PARKED, row={"automation_id": PARKED.automation_id}),
    parked.ParkedSelect([PARKED.id]),
    parked.ParkedDone(
        1, [parked.ParkedFault("run:x", "not_found", "parked row 'run:x' not found")]
    ),
    migration.ImportRequest([SUBSCRIPTION]),
    migration.Imported(total=1, migrated=1, skipped=0, failed=0),
    migration.FailuresList(limit=20),
    migration.Failures(
        items=[
            migration.ImportFailure(
                id="sub-18",
                name="Old hook",
                provider="made-up.provider",
                event="orders.created",
                reason="unsupported provider",
                detail="'made-up.provider'; known are integration-webhook.webhook",
                config={"url": "https://example.org/hook"},
                failed_at=AT,
            )
        ],
        total=1,
        limit=20,
        offset=0,
    ),
    notify.NotifyRequest(
        userId="ann",
        title="Order A-1 waits",
        body="It has waited for a day.",
        importance="warning",
        run_id=RUN_ID,
        automation_id=AUTOMATION_ID,
        idempotency_key=KEY,
    ),
    notify.NotifyReply(results=[notify.ChannelResult(channel="mail", success=True)]),
    status.StatusRequest(),
    STATUS,
    registration.TriggerRegister(
        id="orders.created",
        display_name="Order created",
        category="Shop",
        payload_schema={"type": "object", "required": ["id"]},
        context_key="/id",
        owner="orders",
    ),
    registration.ActionRegister(
        id="mailer.send",
        display_name="Send a mail",
        config_schema={
            "type": "object",
            "properties": {"to": {"type": "string"}, "key": {"type": "string", "x-secret": True}},
            "required": ["to"],
        },
        produces="receipt",
        produces_schema={"type": "object"},
        timeout_seconds=30,
        owner="mailer",
    ),
    remote.ActionRequest(
        config={"to": "ann@example.org"},
        consumed_artifacts={},
        scope={"variables": {}, "run": {"id": RUN_ID}},
        run_id=RUN_ID,
        automation_id=AUTOMATION_ID,
        context_key="A-1",
        step_path="actions[0].choose[0].sequence[0]",
        attempt=1,
        idempotency_key=KEY,
    ),
    remote.ActionReply(success=True, artifact={"number": 7}, external_id="mail-7"),
    remote.ActionReply(success=False, error="the mailbox is full", retry_after_ms=60_000),
    remote.ActionReply(accepted=True),
    remote.ActionDone(success=True, artifact={"number": 7}, idempotency_key=KEY),
    secrets.SecretRequest("MAIL_KEY", RUN_ID, AUTOMATION_ID),
    secrets.SecretReply(value="hunter2!"),
    run_events.RunEvent(
        id=f"{RUN_ID}:2",
        source=f"/lockstep/{AUTOMATION_ID}",
        type="lockstep.run.step_succeeded",
        subject=RUN_ID,
        time=AT,
        data=RUN_DATA,
        traceparent=TRACE,
    ),
    run_events.AutomationEvent(
        id=f"{AUTOMATION_ID}:12",
        source=f"/lockstep/{AUTOMATION_ID}",
        type="lockstep.automation.updated",
        subject=AUTOMATION_ID,
        time=AT,
        data=run_events.AutomationEventData(
            automation_id=AUTOMATION_ID,
            name="Triage orders",
            version=3,
            status="enabled",
            actor=ANN,
        ),
    ),
    headers.EventHeaders(message_id="order-A-1", actor=ACTOR_HEADER, context_key="A-1"),
    headers.RunEventHeaders(
        message_id=f"{RUN_ID}:1",
        format=run_events.RUN_EVENT_FORMAT,
        content_type=events.CLOUD_EVENT,
        trace=TRACE,
    ),
    headers.DeadLetterHeaders(
        reason=LETTER.reason,
        subject=LETTER.subject,
        deliveries="1",
        message_id="LOCKSTEP_TRIGGERS:42:1769860800000000000",
        original_id="order-A-1",
    ),
    headers.RequestHeaders(actor=ACTOR_HEADER),
    headers.ErrorHeaders(code="404", error="run 'x' not found"),
)


def _by_type() -> Mapping[type[msgspec.Struct], list[JsonObject]]:
    found: dict[type[msgspec.Struct], list[JsonObject]] = {
        Definition: [DEFINITION, GUARD],
        AutomationDocument: [
            {"id": AUTOMATION_ID, "group": "orders", "definition": DEFINITION},
            {"name": "Door guard", "status": "disabled", "definition": GUARD},
        ],
    }
    for value in VALUES:
        found.setdefault(type(value), []).append(msgspec.to_builtins(value))
    return found


EXAMPLES: Final = _by_type()
"""What each type looks like."""
