"""Cases of registries: what plug-ins register, and what the catalog then holds."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol, cast

from lockstep.cases.api_calls import name_of_api
from lockstep.cases.expect import Seen
from lockstep.cases.format import Entered, PublishEntry, RegistryCase, StoredAutomation
from lockstep.catalog import (
    ActionOptions,
    CatalogError,
    MemoryCatalog,
    Registry,
    TriggerOptions,
)
from lockstep.definition.validate import validate
from lockstep.model.types import (
    ActionContext,
    ActionResult,
    ActionType,
    ArtifactType,
    Execute,
    TriggerType,
)
from lockstep.render import Renderer
from lockstep_schemas.base import Json, JsonObject

EVENT: Final = "test.event"


class ActionWorld(Protocol):
    """An engine that can be lent an action."""

    async def begin(self, stubs: Mapping[str, Json], instances: int) -> None:
        """Forget the case before."""
        ...

    def lend(self, kind: ActionType) -> None:
        """Let the engine have an action for the time of this case."""
        ...

    async def store(self, automation: StoredAutomation) -> None:
        """Store an automation."""
        ...

    async def publish(self, entry: PublishEntry, name: str) -> None:
        """Publish an event."""
        ...

    async def advance(self, seconds: float) -> None:
        """Wait until the engine is idle."""
        ...

    async def seen(self) -> Seen:
        """Say what the engine has done."""
        ...


class CaseCatalog:
    """The catalog of a case, after its registrations."""

    def __init__(self, case: RegistryCase) -> None:
        self.catalog = MemoryCatalog(is_open=True)
        self.refused: str | None = None
        self.torn_down = False
        self.contexts: list[ActionContext] = []
        for entry in case.register:
            try:
                self.catalog.register(entry.plugin, self._adder(entry))
            except (CatalogError, ValueError) as error:
                self.refused = str(error)

    def _adder(self, entry: Entered) -> Callable[[Registry], None]:
        def add(registry: Registry) -> None:
            if entry.kind == "trigger":
                registry.trigger(entry.id, **self._trigger(entry))
            elif entry.kind == "action":
                registry.add_action(entry.id, self._execute(entry), **_action(entry))
            elif entry.kind == "artifact_type":
                registry.artifact(entry.id, schema=schema(entry.schema))
            else:
                registry.add_filter(entry.id, lambda value: f"{entry.plugin}:{value}")

        return add

    def _trigger(self, entry: Entered) -> TriggerOptions:
        options: TriggerOptions = {"bus": entry.hook}
        if entry.setup:
            options["setup"] = self._setup
        if entry.category is not None:
            options["category"] = entry.category
        if entry.context_key is not None:
            options["context_key"] = entry.context_key
        if (config := schema(entry.config)) is not None:
            options["config"] = config
        if (payload := schema(entry.payload)) is not None:
            options["payload"] = payload
        return options

    def _setup(self, *_: object) -> Callable[[], None]:
        def teardown() -> None:
            self.torn_down = True

        return teardown

    def _execute(self, entry: Entered) -> Execute:
        async def execute(context: ActionContext) -> ActionResult:
            self.contexts.append(context)
            if entry.raises is not None:
                raise RuntimeError(entry.raises)
            if entry.returns_failure is not None:
                return ActionResult(success=False, error=entry.returns_failure)
            if entry.returns is None:
                return ActionResult()
            return cast("ActionResult", entry.returns)  # nonsense, if the case says so

        return execute


def _action(entry: Entered) -> ActionOptions:
    options: ActionOptions = {}
    if entry.category is not None:
        options["category"] = entry.category
    if entry.produces is not None:
        options["produces"] = entry.produces
    if (config := schema(entry.config)) is not None:
        options["config"] = config
    return options


def schema(document: JsonObject | None) -> JsonObject | None:
    """Read a schema; `{name: string}` is short for an object with such a property."""
    if document is None or {"type", "properties"} & set(document):
        return document
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in document.items()},
    }


async def differences(case: RegistryCase, world: ActionWorld) -> list[str]:
    """Register, and say what is not as expected."""
    registered = CaseCatalog(case)
    wanted = case.expect
    options = wanted.get("any_of", [wanted])
    tried = [await _judged(option, case, registered, world) for option in options]
    if not all(tried):
        return []
    return tried[0] if len(tried) == 1 else [f"none of any_of holds: {tried}"]


async def _judged(
    wanted: JsonObject, case: RegistryCase, registered: CaseCatalog, world: ActionWorld
) -> list[str]:
    if "error_contains" in wanted:
        text = registered.refused
        if text is None or wanted["error_contains"] not in text:
            return [f"expected a refusal with {wanted['error_contains']!r}, got {text!r}"]
        return []
    faults = list(_differences(wanted, registered))
    if registered.refused is not None and "filter_unchanged" not in wanted:
        faults.append(f"refused: {registered.refused}")
    if {"step_status", "execute_with"} & set(wanted):
        faults += await _executed(wanted, case, registered, world)
    return faults


def _differences(wanted: JsonObject, registered: CaseCatalog) -> Iterator[str]:
    """Say where the catalog is not as wanted."""
    catalog = registered.catalog
    found = {
        "triggers": sorted(kind.qualified_id for kind in catalog.triggers()),
        "artifact_types": sorted(kind.qualified_id for kind in catalog.artifacts()),
        "trigger_categories": Counter(kind.category for kind in catalog.triggers()),
        "action_categories": Counter(kind.category for kind in catalog.actions()),
        "teardown_called": registered.torn_down,
    }
    for name, value in found.items():
        if name in wanted and wanted[name] != value:
            yield f"{name}: expected {wanted[name]}, got {value}"
    kind = _meant(wanted, catalog)
    if kind is None:
        yield f"there is no such type: {wanted}"
        return
    shown = _shown(kind)
    for name, value in wanted.get("fields", {}).items():
        if shown.get(name_of_api(name)) != value:
            yield f"{name}: expected {value!r}, got {shown.get(name_of_api(name))!r}"
    for name in ("config_schema", "payload_schema"):
        document = shown.get(name) or {}
        if f"{name}_type" in wanted and document.get("type") != wanted[f"{name}_type"]:
            yield f"{name}: expected the type {wanted[f'{name}_type']}, got {document}"
    if wanted.get("has_config_schema") and not shown.get("config_schema"):
        yield "there is no config schema"
    yield from _said(wanted, kind, catalog)


def _said(wanted: JsonObject, kind: object, catalog: MemoryCatalog) -> Iterator[str]:
    """Judge what the types say when they are asked."""
    if "context_key_of" in wanted and isinstance(kind, TriggerType):
        asked = wanted["context_key_of"]
        key = kind.context_key(asked["payload"]) if kind.context_key else None
        if key != asked["value"]:
            yield f"context key: expected {asked['value']!r}, got {key!r}"
    if "definition_accepts" in wanted:
        action = {"action": wanted["definition_accepts"], "id": "a"}
        raw = {"name": "n", "triggers": [{"event": EVENT}], "actions": [action]}
        issues = validate(raw, catalog, Renderer()).errors
        if issues:
            yield f"{wanted['definition_accepts']} is refused: {issues[0].message}"
    if "filter_unchanged" in wanted:
        asked = wanted["filter_unchanged"]
        template = asked if isinstance(asked, str) else asked["template"]
        scope = {} if isinstance(asked, str) else asked.get("context", {})
        value = Renderer(catalog.filters).template(template).render(scope)
        if value != Renderer().template(template).render(scope):
            yield f"{template} gives {value!r}"


def _meant(
    wanted: JsonObject, catalog: MemoryCatalog
) -> TriggerType | ActionType | ArtifactType | None:
    """Find the type that a case speaks of: the one that is named, else the last one."""
    if "has_trigger" in wanted:
        return catalog.trigger(wanted["has_trigger"])
    if "has_action" in wanted:
        return catalog.action(wanted["has_action"])
    if "has_artifact_type" in wanted:
        return catalog.artifact(wanted["has_artifact_type"])
    every: list[TriggerType | ActionType | ArtifactType] = [
        *catalog.triggers(),
        *catalog.artifacts(),
        *catalog.actions(),
    ]
    return every[-1] if every else None


def _shown(kind: TriggerType | ActionType | ArtifactType) -> JsonObject:
    """Give the fields of a type as the API names them."""
    shown: JsonObject = {
        "qualified_id": kind.qualified_id,
        "display_name": kind.display_name,
        "description": kind.description,
        "owner_plugin_id": kind.plugin,
    }
    if isinstance(kind, ArtifactType):
        return {**shown, "schema": kind.schema.document}
    config = kind.config_schema.document if kind.config_schema else None
    shown |= {"category": kind.category, "config_schema": config, "source": kind.source}
    if isinstance(kind, TriggerType):
        payload = kind.payload_schema.document if kind.payload_schema else None
        return {**shown, "payload_schema": payload, "context_key": kind.context_key_text}
    produces = kind.produces.qualified_id if kind.produces else None
    return {**shown, "produces": produces, "consumes": list(kind.consumes)}


async def _executed(
    wanted: JsonObject, case: RegistryCase, registered: CaseCatalog, world: ActionWorld
) -> list[str]:
    """Let a whole engine call the action, in a run of its own."""
    kind = registered.catalog.actions()[-1]
    await world.begin({}, 1)
    world.lend(kind)
    config = wanted.get("execute_with", {}).get("config", {})
    action = {"action": kind.qualified_id, "id": "a", "config": config}
    definition = {"name": case.id, "triggers": [{"event": EVENT}], "actions": [action]}
    await world.store(StoredAutomation(id="auto-1", definition=definition))
    await world.publish(PublishEntry(event=EVENT), "0")
    await world.advance(0)
    seen = await world.seen()
    steps = seen.runs[0].steps if seen.runs else []
    if not steps:
        return ["the action was not called"]
    faults = []
    step, error = steps[0], steps[0].error_message or ""
    if wanted.get("step_status", step.status) != step.status:
        faults.append(f"step: expected {wanted['step_status']}, got {step.status} ({error})")
    if wanted.get("error_contains_run", "") not in error:
        faults.append(
            f"step: expected an error with {wanted['error_contains_run']!r}, got {error!r}"
        )
    if wanted.get("error_not_empty") and not error:
        faults.append("step: expected an error, got none")
    faults += [
        f"the action was not handed {name}"
        for name in wanted.get("received", [])
        if not registered.contexts or not hasattr(registered.contexts[0], name_of_api(name))
    ]
    return faults
