"""Run events: what ops hear of a run, as CloudEvents."""

from datetime import datetime
from typing import Literal

from .base import Struct
from .events import Actor

RunStatus = Literal["pending", "running", "waiting", "success", "failed", "cancelled", "skipped"]
ACTIVE: frozenset[RunStatus] = frozenset({"pending", "running", "waiting"})
StepStatus = Literal["running", "waiting", "success", "failed", "skipped"]
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


class RunEventData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What happened to a run or one of its steps."""

    run_id: str
    automation_id: str
    automation_name: str
    version: int
    seq: int
    trigger_id: str
    trigger_event_id: str
    context_key: str | None
    status: RunStatus
    at: datetime
    path: str | None = None
    action_id: str | None = None
    action_kind: str | None = None
    provider_action_id: str | None = None
    attempts: int | None = None
    error: str | None = None
    reason: str | None = None
    waiting_for: str | None = None
    duration_ms: int | None = None


class RunEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False, omit_defaults=False):
    """A CloudEvent on `lockstep.run.<automation id>.<what>`.

    Source: CloudEvents 1.0.2, JSON format.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: RunEventData
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class AutomationEventData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A change of an automation."""

    automation_id: str
    name: str
    version: int
    status: Literal["enabled", "disabled"]
    actor: Actor


class AutomationEvent(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=False, omit_defaults=False
):
    """A CloudEvent on `lockstep.automation.<automation id>.<created | updated | deleted>`."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: AutomationEventData
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
