"""Run events: what ops hear of a run, as CloudEvents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .base import Struct
from .events import Actor

RunStatus = Literal["pending", "running", "waiting", "success", "failed", "cancelled", "skipped"]
ACTIVE: frozenset[RunStatus] = frozenset({"pending", "running", "waiting"})
StepStatus = Literal["running", "waiting", "success", "failed", "skipped"]
# Replicas of two versions look after each other's waits: one release knows a new kind, the next one
# arms it.
WaitKind = Literal["delay", "event", "retry", "remote", "child", "deadline"]
What = Literal[
    "started",
    "waiting",
    "resumed",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
    "step_succeeded",
    "step_failed",
    "step_skipped",
    "step_waiting",
    "warning",
]

RUN_EVENT_FORMAT = "1"
"""In the header `Lockstep-Format`, see `headers.RunEventHeaders`."""


class RunEventData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What happened to a run or one of its steps."""

    run_id: Annotated[str, Meta(description="A UUIDv7.")]
    automation_id: Annotated[str, Meta(description="Its automation.")]
    automation_name: Annotated[str, Meta(description="The name when the run started.")]
    version: Annotated[int, Meta(description="Of the definition.")]
    seq: Annotated[int, Meta(description="From 1, without a gap in the run.")]
    trigger_id: Annotated[str, Meta(description="The trigger that started it.")]
    trigger_event_id: Annotated[str, Meta(description="The event that started it.")]
    context_key: Annotated[str | None, Meta(description="What the run is about; null: nothing.")]
    status: Annotated[RunStatus, Meta(description="Of the run, after this.")]
    at: Annotated[datetime, Meta(description="When it happened.")]
    path: Annotated[str | None, Meta(description="Of a step: `actions[0].sequence[1]`.")] = None
    action_id: Annotated[str | None, Meta(description="The id that the step's author gave it.")] = (
        None
    )
    action_kind: Annotated[str | None, Meta(description="Such as `action`, `choose`, `delay`.")] = (
        None
    )
    provider_action_id: Annotated[
        str | None, Meta(description="The type of a provider action.")
    ] = None
    attempts: Annotated[int | None, Meta(description="Executions of the step so far.")] = None
    error: Annotated[str | None, Meta(description="Why it failed.")] = None
    reason: Annotated[
        str | None, Meta(description="Why it was refused, cancelled, skipped or stopped.")
    ] = None
    waiting_for: Annotated[str | None, Meta(description="What it waits for, in words.")] = None
    duration_ms: Annotated[int | None, Meta(description="From its start, in milliseconds.")] = None


class RunEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False, omit_defaults=False):
    """A CloudEvent on `lockstep.run.<automation id>.<what>`.

    Source: CloudEvents 1.0.2, JSON format.
    """

    id: Annotated[str, Meta(description="`<run id>:<seq>`; the message id too.")]
    source: Annotated[str, Meta(description="`/<prefix>/<automation id>`.")]
    type: Annotated[str, Meta(description="`lockstep.run.<what>`.")]
    subject: Annotated[str, Meta(description="The run id.")]
    time: Annotated[datetime, Meta(description="When it happened.")]
    data: Annotated[RunEventData, Meta(description="What happened.")]
    specversion: Annotated[Literal["1.0"], Meta(description="Of CloudEvents.")] = "1.0"
    datacontenttype: Annotated[Literal["application/json"], Meta(description="Of `data`.")] = (
        "application/json"
    )
    traceparent: Annotated[
        str | UnsetType,
        Meta(
            description="The trace of the run, as W3C has it; an extension of CloudEvents "
            "(distributed tracing)."
        ),
    ] = UNSET


class AutomationEventData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A change of an automation."""

    automation_id: Annotated[str, Meta(description="Which automation.")]
    name: Annotated[str, Meta(description="Its name.")]
    version: Annotated[int, Meta(description="Of its definition.")]
    status: Annotated[
        Literal["enabled", "disabled"], Meta(description="Whether events start runs.")
    ]
    actor: Annotated[Actor, Meta(description="Who did it.")]


class AutomationEvent(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=False, omit_defaults=False
):
    """A CloudEvent on `lockstep.automation.<automation id>.<created | updated | deleted>`."""

    id: Annotated[str, Meta(description="The message id too.")]
    source: Annotated[str, Meta(description="`/<prefix>/<automation id>`.")]
    type: Annotated[str, Meta(description="`lockstep.automation.<created | updated | deleted>`.")]
    subject: Annotated[str, Meta(description="The automation id.")]
    time: Annotated[datetime, Meta(description="When it happened.")]
    data: Annotated[AutomationEventData, Meta(description="What it is now.")]
    specversion: Annotated[Literal["1.0"], Meta(description="Of CloudEvents.")] = "1.0"
    datacontenttype: Annotated[Literal["application/json"], Meta(description="Of `data`.")] = (
        "application/json"
    )
