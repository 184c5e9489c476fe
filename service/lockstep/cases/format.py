"""The form of case files: of each kind of case, and of what happens in it."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from lockstep_schemas.api import Enabled
from lockstep_schemas.base import Json, JsonObject, Struct

STARTS_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # where the clock of a case begins


class Expect(Struct, frozen=True, kw_only=True):
    """What must be true; only what is named is looked at."""

    # Of the first run.
    status: str | UnsetType = UNSET
    error_contains: str | UnsetType = UNSET
    error_contains_any: list[str] | UnsetType = UNSET
    steps: dict[str, str] | UnsetType = UNSET
    steps_absent: list[str] | UnsetType = UNSET
    waiting_at: list[str] | UnsetType = UNSET
    trigger_id: str | UnsetType = UNSET
    trigger_event_id: str | UnsetType = UNSET
    context_key: str | UnsetType | None = UNSET
    # Over all runs.
    recorded: list[Json] | UnsetType = UNSET
    recorded_set: list[Json] | UnsetType = UNSET
    recorded_before: list[list[Json]] | UnsetType = UNSET
    not_recorded: list[Json] | UnsetType = UNSET
    recorded_count: int | UnsetType = UNSET
    run_count: int | UnsetType = UNSET
    run_count_min: int | UnsetType = UNSET
    run_count_max: int | UnsetType = UNSET
    runs: "list[Expect] | UnsetType" = UNSET
    skipped_count: int | UnsetType = UNSET
    artifacts: list[JsonObject] | UnsetType = UNSET
    artifact_count: int | UnsetType = UNSET
    consumed: list[JsonObject] | UnsetType = UNSET
    action_calls: int | UnsetType = UNSET
    calls: list[JsonObject] | UnsetType = UNSET
    any_of: "list[Expect] | UnsetType" = UNSET
    checkpoints: "list[EntryCheck] | UnsetType" = UNSET


class EntryCheck(Expect, frozen=True, kw_only=True):
    """What must be true right after an entry."""

    after: int


class PublishEntry(Struct, frozen=True, kw_only=True):
    """Publish one event; `after_s` engine seconds pass first."""

    event: str
    payload: JsonObject = {}
    context_key: str | None = None
    after_s: float = 0
    crash_after: str | None = None
    actor: JsonObject | None = None


class WaitEntry(Struct, frozen=True, kw_only=True):
    """Engine seconds pass."""

    wait_s: float


class OperationEntry(Struct, frozen=True, kw_only=True):
    """Something an operator does, or a damage."""

    op: str
    run: int | None = None
    automation: str | None = None
    definition: Json = None
    type: str | None = None
    value: Json = None
    down_s: float | None = None
    of: int | None = None
    heartbeat_age_s: float | None = None
    mark_running: bool | None = None
    after_s: float = 0


class Concurrent(Struct, frozen=True, kw_only=True):
    """At the same moment."""

    concurrent: list[PublishEntry | WaitEntry | OperationEntry] = msgspec.field(name="concurrent")


Entry: TypeAlias = PublishEntry | WaitEntry | OperationEntry | Concurrent


class Reference(Struct, frozen=True, kw_only=True):
    """Stands for a definition: an automation in a file, as `lockstep apply` takes it."""

    file: str | None = None
    folder: str | None = None
    id: str | None = None


class StoredAutomation(Struct, frozen=True, kw_only=True):
    """An automation of a case with several."""

    id: str
    definition: Json
    name: str | None = None  # else that of the definition
    status: Enabled = "enabled"


class CommonFields(Struct, frozen=True, kw_only=True):
    """What every case has."""

    id: str
    what: str = ""
    note: str | None = None
    level: Literal["must", "should"] = "must"
    requires: list[str] = []


class EventCase(CommonFields, frozen=True, kw_only=True):
    """Events go in, runs come out."""

    automation: Json | UnsetType = UNSET
    automations: list[StoredAutomation] = []
    automation_status: Enabled = "enabled"
    events: list[Json] = []
    expect: Expect
    repeat: Annotated[int, Meta(ge=1, le=1000)] = 1
    instances: Annotated[int, Meta(ge=1, le=8)] = 1
    starts_at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET  # else STARTS_AT
    settle_s: float | None = None
    virtual_clock: bool = True
    real_time: bool = False
    or_rejected_at_save: bool = False
    stubs: dict[str, Json] = {}


class ValueCase(CommonFields, frozen=True, kw_only=True):
    """A template, an expression or a condition over a scope."""

    template: str | UnsetType = UNSET
    expression: str | UnsetType = UNSET
    condition: Json | UnsetType = UNSET
    context: JsonObject = {}
    scope: JsonObject = {}
    now: str = "2026-05-30T12:00:00Z"
    expect: JsonObject


class WantedIssue(Struct, frozen=True, kw_only=True):
    """An issue that must be there."""

    path: str
    match: Literal["exact", "prefix"] = "exact"
    contains: str = ""


class Verdict(Struct, frozen=True, kw_only=True):
    """What validation must say."""

    valid: bool
    issues: list[WantedIssue] = []
    only: bool = False


class ValidationCase(CommonFields, frozen=True, kw_only=True):
    """A definition, and what is wrong with it."""

    definition: Json
    expect: Verdict


class ApiCall(Struct, frozen=True, kw_only=True):
    """One call of the control API; `$1.id` in it is a field of the first reply."""

    op: str
    input: JsonObject = {}
    expect: JsonObject = {}


class ApiCase(CommonFields, frozen=True, kw_only=True):
    """Calls of the control API, in order."""

    setup: list[JsonObject] = []
    calls: list[ApiCall]


class Entered(Struct, frozen=True, kw_only=True):
    """One registration of a plug-in."""

    kind: Literal["trigger", "action", "artifact_type", "filter"]
    plugin: str
    id: str
    hook: bool = False  # a trigger whose events come from the bus
    setup: bool = False
    category: str | None = None
    config: JsonObject | None = None
    payload: JsonObject | None = None
    context_key: str | None = None
    produces: str | None = None
    schema: JsonObject | None = None
    returns: Json = None
    raises: str | None = None
    returns_failure: str | None = None


class RegistryCase(CommonFields, frozen=True, kw_only=True):
    """Plug-ins register, and the catalog is looked at."""

    register: list[Entered]
    expect: JsonObject


class WantedAction(Struct, frozen=True, kw_only=True):
    """What the one action of an imported automation must be; of its config a part."""

    action: str | UnsetType = UNSET
    config: JsonObject = {}
    config_non_empty: list[str] = []
    config_absent: list[str] = []


class WantedText(Struct, frozen=True, kw_only=True):
    """What a field of that action must hold, once it is rendered for an event."""

    field: str
    text: str
    scope_event: str = "test.event"
    scope_payload: JsonObject = {}


class WantedAgain(Struct, frozen=True, kw_only=True):
    """What must be there once the subscription was imported again."""

    automations: int = 1
    second_run: Literal["migrated", "skipped", "failed"] = "skipped"


class MigrationExpect(Struct, frozen=True, kw_only=True):
    """What must become of a subscription."""

    ok: bool
    reason_contains: str = ""
    definition: JsonObject | UnsetType = UNSET
    trigger0_event: str | UnsetType = UNSET
    action0: WantedAction | UnsetType = UNSET
    action0_rendered_contains: WantedText | UnsetType = UNSET
    condition_count: int | UnsetType = UNSET
    condition0_is_text: bool | UnsetType = UNSET
    condition0_or_count: int | UnsetType = UNSET
    condition0_true_for: JsonObject | list[JsonObject] | UnsetType = UNSET
    condition0_false_for: JsonObject | list[JsonObject] | UnsetType = UNSET
    condition0_mentions: list[str] = []
    automation_status: Enabled | UnsetType = UNSET
    after_two_runs: WantedAgain | UnsetType = UNSET


class MigrationCase(CommonFields, frozen=True, kw_only=True):
    """A webhook subscription is imported."""

    subscription: JsonObject
    expect: MigrationExpect


Case: TypeAlias = EventCase | ValueCase | ValidationCase | ApiCase | RegistryCase | MigrationCase
