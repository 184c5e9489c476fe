"""The control API: what each endpoint takes and gives."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from .base import END, Json, JsonObject, Name, Struct
from .events import Actor
from .run_events import RunStatus, StepStatus

Enabled = Literal["enabled", "disabled"]
Limit = Annotated[int, Meta(ge=1, le=200)]
Offset = Annotated[int, Meta(ge=0, le=2**53 - 1)]
AutomationId = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9_-]{1,64}" + END,
        description="A UUIDv7 where the engine gives it; letters, digits, `_`, `-` where you do.",
    ),
]

# The store takes no zero bytes; texts that it keeps as text say so where they come in.
Text = Annotated[str, Meta(pattern=r"^[^\x00]*$", description="A text without U+0000.")]
Title = Annotated[Name, Meta(pattern=r"^[^\x00]*$", description="A text without U+0000.")]


class Issue(Struct, frozen=True, kw_only=True):
    """One fault of a definition: where, what, and what to do."""

    path: list[str | int]
    message: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """The body of an error reply."""

    code: Literal["bad_request", "not_found", "conflict", "internal"]
    message: str
    issues: list[Issue] | None = None


class Automation(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A stored automation."""

    id: str
    name: str
    description: str | None
    status: Enabled
    group: str | None
    definition: JsonObject
    version: int
    managed_by: str | None
    updated_by: Actor | None
    created_at: datetime
    updated_at: datetime


class AutomationsList(Struct, frozen=True):
    """Request of `automations.list`."""

    limit: Limit = 50
    offset: Offset = 0
    status: Enabled | None = None
    group: Text | None = None
    cursor: str | None = None


class AutomationsPage(Struct, frozen=True, omit_defaults=False):
    """Automations by creation; fewer than `limit` where more would not fit into a reply.

    `next_cursor` leads to newer ones and stays right while some are deleted; an offset counts
    those that are there at the moment.
    """

    items: list[Automation]
    total: int
    limit: int
    offset: int
    next_cursor: str | UnsetType = UNSET


class ById(Struct, frozen=True):
    """A request that names one thing."""

    id: str


class AutomationCreate(Struct, frozen=True, kw_only=True):
    """Request of `automations.create`."""

    name: Title
    definition: Json
    description: Text | None = None
    status: Enabled = "enabled"
    group: Text | None = None
    id: AutomationId | None = None
    managed_by: Text | None = None


class AutomationUpdate(Struct, frozen=True, kw_only=True):
    """Request of `automations.update`: only the fields that are there are changed."""

    id: str
    name: Title | UnsetType = UNSET
    description: Text | None | UnsetType = UNSET
    status: Enabled | UnsetType = UNSET
    group: Text | None | UnsetType = UNSET
    definition: Json | UnsetType = UNSET
    managed_by: Text | None | UnsetType = UNSET
    expected_version: int | None = None


class AutomationToggle(Struct, frozen=True):
    """Request of `automations.toggle`."""

    id: str
    enabled: bool


class ValidateRequest(Struct, frozen=True):
    """Request of `automations.validate`: a definition, or its source as YAML or JSON text."""

    definition: Json | UnsetType = UNSET
    source: str | UnsetType = UNSET


class Validation(Struct, frozen=True, omit_defaults=False):
    """What is wrong with a definition, and what may be meant otherwise."""

    valid: bool
    errors: list[Issue]
    warnings: list[Issue]


class Version(Struct, frozen=True, omit_defaults=False):
    """A definition as it once was, or is."""

    version: int
    definition: JsonObject
    created_at: datetime
    active_runs: int


class VersionsGet(Struct, frozen=True):
    """Request of `automations.versions`."""

    id: str
    after: Annotated[int, Meta(ge=0, le=2**31 - 1, description="`next_after` of a page.")] = 0


class Versions(Struct, frozen=True, omit_defaults=False):
    """The versions of an automation, oldest first; as many as fit into a reply."""

    items: list[Version]
    next_after: Annotated[int, Meta(description="Where there are more.")] | UnsetType = UNSET


class Success(Struct, frozen=True, omit_defaults=False):
    """It is done."""

    success: bool = True


class Run(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A run."""

    id: str
    automation_id: str
    automation_name: str
    version: int
    trigger_id: str
    trigger_event_id: str
    trigger_payload: Json
    actor: Actor
    context_key: str | None
    status: RunStatus
    error_message: str | None
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    parent_run_id: str | None
    waiting_for: str | None


class Step(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One visit of an action."""

    seq: int
    action_path: str
    action_id: str | None
    action_kind: str
    provider_action_id: str | None
    status: StepStatus
    attempts: int
    error_message: str | None
    result: Json
    started_at: datetime
    finished_at: datetime | None


class Artifact(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a step produced."""

    id: str
    run_id: str
    action_id: str
    artifact_type: str
    data: Json
    context_key: str | None
    closed_at: datetime | None
    created_at: datetime


class RunsList(Struct, frozen=True, kw_only=True):
    """Request of `runs.list`."""

    automation_id: Text | None = None
    status: RunStatus | None = None
    context_key: Text | None | UnsetType = UNSET
    since: Annotated[datetime, Meta(tz=True)] | None = None
    limit: Limit = 50
    offset: Offset = 0
    cursor: str | None = None


class RunsPage(Struct, frozen=True, kw_only=True):
    """Runs, newest first; fewer than `limit` where more would not fit into a reply.

    `next_cursor` leads to older ones and stays right while runs arrive.
    """

    items: list[Run]
    total: int
    limit: int
    offset: int | UnsetType = UNSET
    next_cursor: str | None = None


class Wait(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a run waits for, since when and until when."""

    id: str
    action_path: str
    kind: Literal["delay", "event", "retry", "remote", "child", "deadline"]
    waiting_for: str
    event: str | None
    context_key: str | None
    filter: str | None
    warning: str | None
    state: Literal["armed", "fired"]
    armed_at: datetime
    due_at: datetime | None


class RunCancel(Struct, frozen=True):
    """Request of `runs.cancel`."""

    id: str
    reason: Text | None = None


class RunStart(Struct, frozen=True, kw_only=True):
    """Request of `runs.start`; the first trigger if none is named."""

    automation_id: str
    trigger_id: str | None = None
    payload: JsonObject = {}
    context_key: Annotated[Text, Meta(max_length=1024)] | None | UnsetType = UNSET
    actor: Actor | None = None


class RunStarted(Struct, frozen=True, omit_defaults=False):
    """A run once it has ended, sleeps, is queued or was refused; at the latest after 5 s."""

    run_id: str
    status: RunStatus


class RunRetry(Struct, frozen=True, kw_only=True):
    """Request of `runs.retry`: from the start, or where the run failed, with what it had."""

    id: str
    from_: Literal["start", "failed"] = field(name="from", default="failed")


class RunRetried(Struct, frozen=True, omit_defaults=False):
    """The new run; `runs.get` tells what becomes of it."""

    run_id: str


class WhyRequest(Struct, frozen=True, kw_only=True):
    """Request of `events.why`: an event id, or a message id; newest events first."""

    event: Text
    automation_id: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=50)] = 5


class Consequence(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of an event at one automation: a run, a wake, or the gate that refused it."""

    automation_id: str
    trigger_id: str | None
    outcome: Literal["started", "skipped", "cancelled", "woke", "refused"]
    gate: str | None
    detail: str | None
    run_id: str | None


class HandledEvent(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An event that was taken, and all that followed."""

    event: str
    message_id: str | None
    delivery: str
    handled_at: datetime
    consequences: list[Consequence]
    more: Annotated[int, Meta(description="Consequences that are not told.")] = 0


class Why(Struct, frozen=True, omit_defaults=False):
    """Recent events, newest first."""

    items: list[HandledEvent]


class RunGet(Struct, frozen=True):
    """Request of `runs.get`."""

    id: str
    after: (
        Annotated[int, Meta(ge=0, le=2**31 - 1, description="`next_after` of a page.")] | None
    ) = None


class RunDetail(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A run with all that it did: steps, then artifacts, as many as fit into a reply.

    What is too large for any reply is told without its content; the payload stands on the first
    page only.
    """

    run: Run
    steps: list[Step]
    artifacts: list[Artifact]
    waits: list[Wait]
    next_after: Annotated[int, Meta(description="Where there are more.")] | UnsetType = UNSET
