"""The control API: what each endpoint takes and gives."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from .automations import (
    Automation,
    AutomationCreate,
    AutomationsList,
    AutomationsPage,
    AutomationToggle,
    AutomationUpdate,
    Issue,
    ValidateRequest,
    Validation,
    Version,
    Versions,
    VersionsGet,
)
from .base import AutomationId, Enabled, Json, JsonObject, Limit, Offset, Struct, Text
from .events import Actor
from .run_events import RunStatus, StepStatus, WaitKind
from .runs import (
    RunFault,
    RunsCancel,
    RunsDone,
    RunsFilter,
    RunsList,
    RunsRetry,
    RunsSelect,
    StatusFilter,
)

# What is found here beside what stands below.
__all__ = [
    "Automation",
    "AutomationCreate",
    "AutomationId",
    "AutomationToggle",
    "AutomationUpdate",
    "AutomationsList",
    "AutomationsPage",
    "Enabled",
    "Issue",
    "Limit",
    "Offset",
    "RunFault",
    "RunsCancel",
    "RunsDone",
    "RunsFilter",
    "RunsList",
    "RunsRetry",
    "RunsSelect",
    "StatusFilter",
    "ValidateRequest",
    "Validation",
    "Version",
    "Versions",
    "VersionsGet",
]


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The body of an error reply."""

    code: Annotated[
        Literal["bad_request", "not_found", "conflict", "internal", "busy"],
        Meta(description="What kind of error; `Nats-Service-Error-Code` has its number."),
    ]
    error: Annotated[
        str,
        Meta(
            description="Which error, for programs: stable, such as `run.not_found`. "
            "`docs/ERRORS.md` has all. Empty from an engine that knows none."
        ),
    ] = ""
    message: Annotated[str, Meta(description="What is wrong, for people.")]
    issues: Annotated[
        list[Issue] | None,
        Meta(description="What is wrong with a definition or a request, and where."),
    ] = None


class ById(Struct, frozen=True):
    """A request that names one thing."""

    id: Annotated[str, Meta(description="Which one.")]


class Success(Struct, frozen=True, omit_defaults=False):
    """It is done."""

    success: Annotated[bool, Meta(description="Always true; a refusal is an error reply.")] = True


class Run(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A run."""

    id: Annotated[str, Meta(description="A UUIDv7.")]
    automation_id: Annotated[str, Meta(description="Its automation.")]
    automation_name: Annotated[str, Meta(description="The name when it started.")]
    version: Annotated[int, Meta(description="Of the definition; a run keeps to it.")]
    trigger_id: Annotated[str, Meta(description="The trigger that started it.")]
    trigger_event_id: Annotated[str, Meta(description="The event that started it.")]
    trigger_payload: Annotated[Json, Meta(description="The payload of that event.")]
    actor: Annotated[Actor, Meta(description="Who caused it.")]
    context_key: Annotated[str | None, Meta(description="What it is about; null: nothing.")]
    status: Annotated[RunStatus, Meta(description="How it stands.")]
    error_message: Annotated[str | None, Meta(description="Why it failed.")]
    reason: Annotated[str | None, Meta(description="Why it was refused, cancelled or stopped.")]
    started_at: Annotated[
        datetime | None, Meta(description="When it began; null while it is queued.")
    ]
    finished_at: Annotated[datetime | None, Meta(description="When it ended.")]
    parent_run_id: Annotated[str | None, Meta(description="The run that started it.")]
    waiting_for: Annotated[str | None, Meta(description="What it waits for, in words.")]


StepIoKind: TypeAlias = Literal[
    "config", "consumed", "items", "decided", "assigned", "event", "result", "error", "full"
]


class StepIo(Struct, frozen=True, kw_only=True):
    """Something that went into a step, or came out of it: secrets masked, cut where it is long."""

    what: Annotated[
        StepIoKind,
        Meta(
            description="`config`: as rendered; of an action that could not render it, as far as "
            "it came. `consumed`: artifacts that an action was handed. `items`: of a for_each. "
            "`decided`: whether a condition holds, and the values that it saw. `assigned`: "
            "variables. `event`: the payload that ended a wait. `result`: what an action gave, "
            "where it is no artifact. `error`: of an attempt. `full`: there was no room for more."
        ),
    ]
    name: Annotated[
        str | None, Meta(description="Of `decided`: where; of `full`: `step` or `run`.")
    ] = None
    attempt: Annotated[int | None, Meta(description="Of `error`: which attempt, from 1.")] = None
    holds: Annotated[bool | None, Meta(description="Of `decided`: whether it holds.")] = None
    value: Annotated[
        Json,
        Meta(description="Where it is cut: with shorter texts, or the beginning of its JSON."),
    ] = None
    bytes: Annotated[int | None, Meta(description="How long it was; absent: it is not cut.")] = None


class Step(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One visit of an action."""

    seq: Annotated[int, Meta(description="Its place among the steps of the run.")]
    action_path: Annotated[
        str, Meta(description="Where in the definition: `actions[0].sequence[1]`.")
    ]
    action_id: Annotated[str | None, Meta(description="The id that its author gave it.")]
    action_kind: Annotated[str, Meta(description="Such as `action`, `choose`, `delay`.")]
    provider_action_id: Annotated[str | None, Meta(description="The type of a provider action.")]
    status: Annotated[StepStatus, Meta(description="How it stands.")]
    attempts: Annotated[int, Meta(description="Executions so far.")]
    error_message: Annotated[str | None, Meta(description="Why it failed or was skipped.")]
    result: Annotated[Json, Meta(description="What it gave.")]
    started_at: Annotated[datetime, Meta(description="When it was entered first.")]
    finished_at: Annotated[datetime | None, Meta(description="When it ended.")]
    io: Annotated[
        list[StepIo],
        Meta(
            description="What went in and came out, in that order, as far as it is kept: see the "
            "setting `engine.keep_io_bytes`."
        ),
    ] = []


class Artifact(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a step produced."""

    id: Annotated[str, Meta(description="A UUID.")]
    run_id: Annotated[str, Meta(description="The run that produced it.")]
    action_id: Annotated[str, Meta(description="The action that produced it.")]
    artifact_type: Annotated[str, Meta(description="Its type, `<plugin>.<name>`.")]
    data: Annotated[Json, Meta(description="As its type wants it.")]
    context_key: Annotated[str | None, Meta(description="That of the run.")]
    closed_at: Annotated[
        datetime | None,
        Meta(description="When it was closed; null: it is open and can be consumed."),
    ]
    created_at: Annotated[datetime, Meta(description="When it was produced.")]


class RunsPage(Struct, frozen=True, kw_only=True):
    """Runs, newest first; fewer than `limit` where more would not fit into a reply.

    Where `event` is a pattern, or an error or a text is looked for, a page looks through 50,000
    runs at most: it may have few items, or none, and a `next_cursor`. That leads to older ones and
    stays right while runs arrive. `total` is counted where that is quick, else an estimate.
    """

    items: Annotated[list[Run], Meta(description="Newest first.")]
    total: Annotated[
        int, Meta(description="Of all pages; an estimate where `total_is_estimate` says so.")
    ]
    total_is_estimate: Annotated[
        bool, Meta(description="Whether `total` was not counted, as that would take too long.")
    ] = False
    limit: Annotated[int, Meta(description="As asked for.")]
    offset: Annotated[int | UnsetType, Meta(description="As asked for; not with a cursor.")] = UNSET
    next_cursor: Annotated[
        str | None, Meta(description="Of the page after this; absent: there is none.")
    ] = None


class Wait(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What a run waits for, since when and until when."""

    id: Annotated[str, Meta(description="A UUID.")]
    action_path: Annotated[str, Meta(description="Where in the definition it waits.")]
    kind: Annotated[
        WaitKind,
        Meta(description="What kind of thing it waits for."),
    ]
    waiting_for: Annotated[str, Meta(description="What it waits for, in words.")]
    event: Annotated[str | None, Meta(description="The event that ends it.")]
    context_key: Annotated[str | None, Meta(description="That such an event must have.")]
    filter: Annotated[str | None, Meta(description="That such an event must pass.")]
    warning: Annotated[
        str | None, Meta(description="Why the filter could not be judged, last time.")
    ]
    state: Annotated[
        Literal["armed", "fired", "parked"], Meta(description="Whether it still waits.")
    ]
    armed_at: Annotated[datetime, Meta(description="Since when.")]
    due_at: Annotated[datetime | None, Meta(description="Until when; null: without limit.")]
    held_up: Annotated[
        str | None, Meta(description="Why it still waits though its deadline is past.")
    ] = None


class RunCancel(Struct, frozen=True):
    """Request of `runs.cancel`."""

    id: Annotated[str, Meta(description="Which run.")]
    reason: Annotated[Text | None, Meta(description="Why; kept with the run.")] = None


class RunStart(Struct, frozen=True, kw_only=True):
    """Request of `runs.start`; the first trigger if none is named."""

    automation_id: Annotated[str, Meta(description="Of which automation.")]
    trigger_id: Annotated[
        str | None, Meta(description="As if by this trigger; the first if absent.")
    ] = None
    payload: Annotated[
        JsonObject,
        Meta(description="As if of an event; of a schedule, `firedAt` is now if it is absent."),
    ] = {}
    context_key: Annotated[
        Annotated[Text, Meta(max_length=1024)] | None | UnsetType,
        Meta(description="Null: none; absent: as the trigger extracts it."),
    ] = UNSET
    actor: Annotated[
        Actor | None, Meta(description="Who caused it; else the header `Lockstep-Actor`.")
    ] = None


class RunStarted(Struct, frozen=True, omit_defaults=False):
    """A run once it has ended, sleeps, is queued or was refused; at the latest after 5 s."""

    run_id: Annotated[str, Meta(description="The new run.")]
    status: Annotated[RunStatus, Meta(description="How it stands.")]


class RunRetry(Struct, frozen=True, kw_only=True):
    """Request of `runs.retry`: from the start, or where the run failed, with what it had."""

    id: Annotated[str, Meta(description="A run that has ended.")]
    from_: Annotated[
        Literal["start", "failed"],
        Meta(description="Where it begins; `failed`: at the step that failed, with what it had."),
    ] = field(name="from", default="failed")


class RunRetried(Struct, frozen=True, omit_defaults=False):
    """The new run; `runs.get` tells what becomes of it."""

    run_id: Annotated[str, Meta(description="The new run.")]


class RunGet(Struct, frozen=True):
    """Request of `runs.get`."""

    id: Annotated[str, Meta(description="Which run.")]
    after: Annotated[
        Annotated[int, Meta(ge=0, le=2**31 - 1)] | None,
        Meta(description="`next_after` of the page before."),
    ] = None


class RunDetail(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A run with all that it did: steps, then artifacts, as many as fit into a reply.

    What is too large for any reply is told without its content; the payload stands on the first
    page only.
    """

    run: Annotated[Run, Meta(description="The run.")]
    steps: Annotated[list[Step], Meta(description="In the order in which they were entered.")]
    artifacts: Annotated[list[Artifact], Meta(description="What it produced, oldest first.")]
    waits: Annotated[list[Wait], Meta(description="What it waits for and waited for.")]
    next_after: Annotated[
        int | UnsetType, Meta(description="Where there are more: how many were told.")
    ] = UNSET
