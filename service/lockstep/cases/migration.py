"""Cases of the import of subscriptions: one goes in, and what became of it is looked at."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol

from msgspec import UNSET

from lockstep.cases.api_calls import ApiWorld
from lockstep.cases.expect import is_part
from lockstep.cases.format import MigrationCase, MigrationExpect, WantedAction
from lockstep.catalog import compile_schema
from lockstep.definition.conditions import compile_condition
from lockstep.definition.shape import Shaper
from lockstep.model.types import ActionContext, ActionResult, ActionType
from lockstep.render import Renderer
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.migration import MANAGED_BY

NOW: Final = datetime(2026, 5, 30, 12, tzinfo=UTC)
_TEXT: Final = {"type": "string"}
_SCRIPT: Final = {"script": _TEXT, "timeout": {"type": "number"}}
_MAPPINGS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"fieldKey": _TEXT, "value": _TEXT},
        "required": ["fieldKey", "value"],
    },
}


def _texts(*names: str) -> JsonObject:
    return dict.fromkeys(names, _TEXT)


# What each action takes, and which of it must be there.
_CONFIGS: Final[Mapping[str, tuple[JsonObject, tuple[str, ...]]]] = {
    "integration-jira.create_issue": (
        _texts("connectionId", "projectKey", "issueTypeId", "summary", "description", "priorityId")
        | {"fieldMappings": _MAPPINGS},
        ("connectionId", "projectKey", "issueTypeId", "summary"),
    ),
    "integration-teams.post_message": (
        _texts("connectionId", "teamId", "channelId", "title", "body"),
        ("connectionId", "teamId", "channelId", "body"),
    ),
    "integration-webex.post_message": (
        _texts("connectionId", "roomId", "markdown"),
        ("connectionId", "roomId", "markdown"),
    ),
    "integration-webhook.send": (_texts("url", "method", "body"), ("url",)),
    "integration-script.run_script": (_SCRIPT, ("script",)),
    "integration-script.run_shell": ({**_SCRIPT, "workingDirectory": _TEXT}, ("script",)),
}
# An action that takes more than is named here.
_OPEN: Final = frozenset({"integration-webhook.send"})
_CODE: Final = frozenset({"script"})


class MigrationWorld(ApiWorld, Protocol):
    """An engine that can be lent actions."""

    async def begin(self, stubs: Mapping[str, Json], instances: int) -> None:
        """Forget the case before."""
        ...

    def lend(self, kind: ActionType) -> None:
        """See `cases.registries.ActionWorld`."""
        ...


def action_types() -> list[ActionType]:
    """Make the actions of the integrations; they do nothing."""
    return [
        ActionType(
            qualified_id=name,
            plugin=name.partition(".")[0],
            display_name=name,
            execute=_nothing,
            config_schema=compile_schema(
                {
                    "type": "object",
                    "properties": properties,
                    "required": list(required),
                    "additionalProperties": name in _OPEN,
                }
            ),
            code_fields=_CODE & set(properties),
            source="case",
        )
        for name, (properties, required) in _CONFIGS.items()
    ]


async def _nothing(_: ActionContext) -> ActionResult:
    return ActionResult()


async def differences(case: MigrationCase, world: MigrationWorld, renderer: Renderer) -> list[str]:
    """Import the subscription of a case; say what is not as expected."""
    await world.begin({}, 1)
    for kind in action_types():
        world.lend(kind)
    expect = case.expect
    first = await _import(case, world)
    failures, _ = await world.ask("migration.failures", {})
    reasons = [f"{one['reason']}: {one['detail']}" for one in failures["items"]]
    if first != "migrated":
        return _judged_failure(expect, first, reasons)
    if not expect.ok:
        return ["expected a failure, and the subscription was migrated"]
    stored, _ = await world.ask("automations.list", {"limit": 200})
    (automation,) = stored["items"]
    faults = [f"a failure is there beside the automation: {one}" for one in reasons]
    faults += _stored(case, automation)
    faults += _definition(expect, automation["definition"], renderer)
    if expect.after_two_runs is not UNSET:
        faults += await _twice(case, world)
    return faults


async def _import(case: MigrationCase, world: MigrationWorld) -> str:
    """Import the subscription; give the one count that is 1."""
    body, is_error = await world.ask("migration.import", {"subscriptions": [case.subscription]})
    if is_error:
        return f"the error {body}"
    return next(name for name in ("migrated", "skipped", "failed") if body[name])


def _judged_failure(expect: MigrationExpect, became: str, reasons: list[str]) -> list[str]:
    if expect.ok or became != "failed":
        wanted = "migrated" if expect.ok else "failed"
        return [f"expected the subscription to be {wanted}, got {became} {reasons}"]
    if len(reasons) != 1 or expect.reason_contains not in reasons[0]:
        return [f"expected one failure with {expect.reason_contains!r}, got {reasons}"]
    return []


async def _twice(case: MigrationCase, world: MigrationWorld) -> list[str]:
    wanted, faults = case.expect.after_two_runs, []
    second = await _import(case, world)
    if wanted is UNSET:
        return []
    if second != wanted.second_run:
        faults.append(f"second import: expected {wanted.second_run}, got {second}")
    stored, _ = await world.ask("automations.list", {"limit": 200})
    if stored["total"] != wanted.automations:
        faults.append(f"expected {wanted.automations} automations, got {stored['total']}")
    return faults


def _stored(case: MigrationCase, automation: JsonObject) -> Iterator[str]:
    """Judge what stands beside the definition."""
    wanted = case.expect.automation_status
    if wanted is not UNSET and automation["status"] != wanted:
        yield f"automation_status: expected {wanted}, got {automation['status']}"
    mark = MANAGED_BY + str(case.subscription.get("id"))
    if automation["managed_by"] != mark:
        yield f"managed_by: expected {mark}, got {automation['managed_by']}"


def _definition(
    expect: MigrationExpect, definition: JsonObject, renderer: Renderer
) -> Iterator[str]:
    if expect.definition is not UNSET and not is_part(expect.definition, definition):
        yield f"definition: expected {expect.definition}, got {definition}"
    event = definition["triggers"][0]["event"]
    if expect.trigger0_event is not UNSET and event != expect.trigger0_event:
        yield f"trigger0_event: expected {expect.trigger0_event}, got {event}"
    action = definition["actions"][0]
    if expect.action0 is not UNSET:
        yield from _action(expect.action0, action)
    rendered = expect.action0_rendered_contains
    if rendered is not UNSET:
        scope = _scope({"event": rendered.scope_event, "payload": rendered.scope_payload})
        found = renderer.template(action["config"].get(rendered.field, "")).render(scope)
        if rendered.text not in found:
            yield f"action0.{rendered.field}: expected {rendered.text!r} in {found!r}"
    yield from _conditions(expect, definition.get("conditions", []), renderer)


def _action(wanted: WantedAction, action: JsonObject) -> Iterator[str]:
    config = action["config"]
    if wanted.action is not UNSET and action["action"] != wanted.action:
        yield f"action0: expected {wanted.action}, got {action['action']}"
    if not is_part(wanted.config, config):
        yield f"action0.config: expected {wanted.config}, got {config}"
    for name in wanted.config_non_empty:
        if not config.get(name):
            yield f"action0.config.{name} is empty in {config}"
    for name in wanted.config_absent:
        if name in config:
            yield f"action0.config.{name} is there in {config}"


def _conditions(
    expect: MigrationExpect, conditions: list[Json], renderer: Renderer
) -> Iterator[str]:
    if expect.condition_count is not UNSET and len(conditions) != expect.condition_count:
        yield f"condition_count: expected {expect.condition_count}, got {conditions}"
    first = conditions[0] if conditions else None
    is_text = isinstance(first, str)
    if expect.condition0_is_text is not UNSET and expect.condition0_is_text != is_text:
        yield f"condition0_is_text: expected {expect.condition0_is_text}, got {first}"
    several = first.get("or", []) if isinstance(first, dict) else []
    if expect.condition0_or_count is not UNSET and len(several) != expect.condition0_or_count:
        yield f"condition0_or_count: expected {expect.condition0_or_count}, got {first}"
    for text in expect.condition0_mentions:
        if text not in str(first):
            yield f"condition0_mentions: {text!r} is not in {first}"
    for scopes, wanted in (
        (expect.condition0_true_for, True),
        (expect.condition0_false_for, False),
    ):
        for scope in scopes if isinstance(scopes, list) else [scopes]:
            if scope is not UNSET and _holds(first, scope, renderer) != wanted:
                yield f"condition0: expected {wanted} for {scope}, got the opposite of {first}"


def _holds(condition: Json, scope: JsonObject, renderer: Renderer) -> bool:
    """Judge a condition for a scope, or for a payload alone; where there is none, all pass."""
    if condition is None:
        return True
    shaped = Shaper().condition(condition, (), 0)
    trigger = scope.get("trigger", {"payload": scope})
    return compile_condition(shaped, renderer).holds(_scope(trigger), NOW)


def _scope(trigger: JsonObject) -> JsonObject:
    """Make the scope of a run that an event has just started."""
    event = trigger.get("event", "test.event")
    actor = {"type": "system", "id": None, "name": None}
    return {
        "trigger": {
            "id": "t",
            "event": event,
            "eventId": event,
            "payload": {},
            "actor": actor,
            "time": NOW.isoformat(),
            "message_id": None,
            **trigger,
        },
        "variables": {},
        "artifacts": {},
        "run": {"id": "run-1"},
        "automation": {"id": "auto-1", "name": "n"},
        "now": NOW.isoformat(),
    }
