"""What a plug-in is given to bring its types: ids are local, and become `<plugin>.<id>`."""

import inspect
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar, Unpack

import msgspec

from lockstep.catalog.context_keys import extractor
from lockstep.catalog.errors import AlreadyRegistered, CatalogError, SchemaRefused
from lockstep.catalog.execution import Function, executor
from lockstep.catalog.options import ActionOptions, Filter, Shape, TriggerOptions
from lockstep.catalog.schema import CompiledSchema, compile_schema
from lockstep.catalog.shapes import closed, schema_of, secret_paths, text_paths
from lockstep.model.types import ANY_SCHEMA, ActionType, ArtifactType, Migrate, TriggerType
from lockstep.render.filters import BUILT_IN

FunctionT = TypeVar("FunctionT", bound=Function)
FilterT = TypeVar("FilterT", bound=Filter)

MAX_ID: Final = 256  # as `EventId` and `QualifiedId` of the schemas
# A day, as `ActionRegister` has it: a crash loses all of the call.
MAX_TIMEOUT_SECONDS: Final = 86_400.0
UNCATEGORIZED: Final = "Uncategorized"

_PLUGIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_ID: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_EVENT_ID: Final = re.compile(r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*")
_FILTER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TakenIds(Protocol):
    """The catalog, as far as a registry must know it: what is there already."""

    def trigger(self, event_id: str) -> object | None:
        """Give the trigger type of this id."""
        ...

    def action(self, qualified_id: str) -> object | None:
        """Give the action type of this id."""
        ...

    def artifact(self, qualified_id: str) -> ArtifactType | None:
        """Give the artifact type of this id."""
        ...

    @property
    def filters(self) -> Mapping[str, Filter]:
        """The filters, by name."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What a plug-in has registered so far, by qualified id; filters by name."""

    artifacts: dict[str, ArtifactType] = field(default_factory=dict)
    triggers: dict[str, TriggerType] = field(default_factory=dict)
    actions: dict[str, ActionType] = field(default_factory=dict)
    filters: dict[str, Filter] = field(default_factory=dict)


class Registry:
    """Takes the types of one plug-in; nothing is in force before the plug-in has ended.

    ```python
    def register(registry: Registry) -> None:
        registry.artifact("issue", schema=Issue)
        registry.trigger("incident.created", payload=Incident, context_key="/incidentId")

        @registry.action("create_issue", config=CreateIssue, produces="issue", timeout_seconds=30)
        async def create_issue(context: ActionContext) -> ActionResult: ...
    ```
    """

    def __init__(self, plugin: str, taken: TakenIds, batch: Batch) -> None:
        if not _PLUGIN.fullmatch(plugin):
            raise CatalogError(
                f"plug-in name '{plugin}': letters, digits, '_' and '-' are expected, no dots"
            )
        self._plugin, self._taken, self._batch, self._is_closed = plugin, taken, batch, False

    @property
    def plugin(self) -> str:
        """Name of the plug-in; ids begin with it."""
        return self._plugin

    def close(self) -> None:
        """Take no more: what comes later would never be in force."""
        self._is_closed = True

    def artifact(
        self,
        name: str,
        *,
        schema: Shape | None = None,
        display_name: str | None = None,
        description: str | None = None,
    ) -> None:
        """Register a type of artifact.

        Args:
            name: Local name; templates reach it as `artifacts.<action id>.<name>.<field>`.
            schema: What an artifact of this type looks like; any object if left out.
            display_name: For people; made of the name if left out.
            description: For people.

        Raises:
            CatalogError: The name or the schema is wrong, or the name is taken.
        """
        what = f"artifact type '{self._plugin}.{name}'"
        qualified = self._fresh(what, name, _ID, self._batch.artifacts, self._taken.artifact)
        self._batch.artifacts[qualified] = ArtifactType(
            qualified_id=qualified,
            plugin=self._plugin,
            display_name=display_name or title(name),
            description=description,
            schema=schema_for(schema, what, "schema"),
        )

    def trigger(self, event: str, **options: Unpack[TriggerOptions]) -> None:
        """Register a type of trigger: an event of the bus, or something that is set up.

        Args:
            event: Local id; services publish the event as `<plugin>.<event>`.
            options: See `TriggerOptions`.

        Raises:
            CatalogError: It has neither bus nor set-up, something of it is wrong, or the id is
                taken.
        """
        what = f"trigger '{self._plugin}.{event}'"
        _check_options(what, options.keys(), TriggerOptions.__annotations__)
        qualified = self._fresh(what, event, _EVENT_ID, self._batch.triggers, self._taken.trigger)
        setup, payload = options.get("setup"), options.get("payload")
        config, key = options.get("config"), options.get("context_key")
        from_bus = options.get("bus", setup is None)
        if not from_bus and setup is None:
            raise CatalogError(f"{what} has neither bus nor set-up, so nothing can fire it")
        if setup is not None and not callable(setup):
            raise CatalogError(f"{what}: setup is no function")
        self._batch.triggers[qualified] = TriggerType(
            qualified_id=qualified,
            plugin=self._plugin,
            display_name=options.get("display_name") or title(event),
            description=options.get("description"),
            category=options.get("category", UNCATEGORIZED),
            payload_schema=None if payload is None else schema_for(payload, what, "payload"),
            config_schema=None
            if config is None
            else schema_for(config, what, "config", strict=True),
            config_type=config if isinstance(config, type) else None,
            context_key=None if key is None else extractor(key, qualified),
            context_key_text=key if isinstance(key, str) else None,
            source="bus" if from_bus else "setup",
            setup=setup,
        )

    def action(
        self, name: str, **options: Unpack[ActionOptions]
    ) -> Callable[[FunctionT], FunctionT]:
        """Register the function below as an action; see `ActionOptions` and `add_action`."""

        def add(function: FunctionT) -> FunctionT:
            self.add_action(name, function, **options)
            return function

        return add

    def add_action(self, name: str, function: Function, **options: Unpack[ActionOptions]) -> None:
        """Register an action.

        Args:
            name: Local id; automations call it as `<plugin>.<name>`.
            function: Called with an `ActionContext`; gives an `ActionResult`, or None for success.
                A coroutine function; a plain one works too and runs in a thread.
            options: See `ActionOptions`.

        Raises:
            CatalogError: Something of it is wrong, or the id is taken.
        """
        what = f"action '{self._plugin}.{name}'"
        _check_options(what, options.keys(), ActionOptions.__annotations__)
        qualified = self._fresh(what, name, _ID, self._batch.actions, self._taken.action)
        if not callable(function):
            raise CatalogError(f"{what}: {type(function).__name__} is no function")
        config, timeout = options.get("config"), options.get("timeout_seconds", 300)
        if not (math.isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT_SECONDS):
            limit = f"{MAX_TIMEOUT_SECONDS:g}"
            raise CatalogError(
                f"{what}: timeout_seconds: expected > 0 and <= {limit}, got {timeout}"
            )
        schema = schema_for(config, what, "config", strict=True)
        consumes, closes = self._consumed(what, options)
        self._batch.actions[qualified] = ActionType(
            qualified_id=qualified,
            plugin=self._plugin,
            display_name=options.get("display_name") or title(name),
            description=options.get("description") or _first_line(function),
            category=options.get("category", UNCATEGORIZED),
            execute=executor(qualified, function),
            config_schema=schema,
            config_type=config if isinstance(config, type) else None,
            produces=self._produced(what, options.get("produces")),
            consumes=consumes,
            closes=closes,
            timeout_seconds=timeout,
            retry_safe=options.get("retry_safe", True),
            code_fields=_code_fields(what, options.get("code_fields", ()), schema),
            config_version=options.get("config_version", 1),
            migrations=_migrations(what, options),
            follow_up=options.get("follow_up"),
            config_faults=options.get("config_faults"),
            text_paths=text_paths(schema.document),
            secret_paths=secret_paths(schema.document),
        )

    def filter(self, name: str) -> Callable[[FilterT], FilterT]:
        """Register the function below as a template filter; see `add_filter`."""

        def add(function: FilterT) -> FilterT:
            self.add_filter(name, function)
            return function

        return add

    def add_filter(self, name: str, function: Filter) -> None:
        """Register a template filter: `{{ value | name(argument) }}` calls it with both.

        Raises:
            CatalogError: The name is no identifier, or taken by a built-in filter or a plug-in.
        """
        self._check_open()
        if not _FILTER.fullmatch(name) or not callable(function):
            raise CatalogError(f"filter '{name}': an identifier and a function are expected")
        if name in BUILT_IN:
            raise AlreadyRegistered(f"filter '{name}' is already registered: it is built in")
        if name in self._batch.filters or name in self._taken.filters:
            raise AlreadyRegistered(f"filter '{name}' is already registered")
        self._batch.filters[name] = function

    def _fresh(
        self,
        what: str,
        local: str,
        pattern: re.Pattern[str],
        here: Mapping[str, object],
        there: Callable[[str], object | None],
    ) -> str:
        """Give the qualified id, if it is one and nobody has it."""
        self._check_open()
        qualified = f"{self._plugin}.{local}"
        if not pattern.fullmatch(local) or len(qualified) > MAX_ID:
            raise CatalogError(
                f"{what}: the id is expected to be dot-separated words of letters, digits,"
                f" '_' and '-', {MAX_ID} characters at most"
            )
        if qualified in here or there(qualified) is not None:
            raise AlreadyRegistered(f"{what} is already registered")
        return qualified

    def _check_open(self) -> None:
        if self._is_closed:
            raise CatalogError(f"plug-in '{self._plugin}': it has ended; register while it runs")

    def _qualified(self, name: str) -> str:
        return name if name.startswith(f"{self._plugin}.") else f"{self._plugin}.{name}"

    def _produced(self, what: str, name: str | None) -> ArtifactType | None:
        """Give the type of what is produced; until it is registered, one that takes anything."""
        if name is None:
            return None
        qualified = self._qualified(name)
        local = qualified.removeprefix(f"{self._plugin}.")
        if not _ID.fullmatch(local):
            raise CatalogError(f"{what}: produces '{name}', which is no id of an artifact type")
        known = self._batch.artifacts.get(qualified) or self._taken.artifact(qualified)
        return known or ArtifactType(
            qualified_id=qualified,
            plugin=self._plugin,
            display_name=title(local),
            schema=compile_schema(ANY_SCHEMA),
        )

    def _consumed(
        self, what: str, options: ActionOptions
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        for key in ("consumes", "closes"):
            if isinstance(options.get(key), str):
                raise CatalogError(f"{what}: {key} is a text; a list of names is expected")
        consumes = tuple(self._qualified(name) for name in options.get("consumes", ()))
        closes = tuple(self._qualified(name) for name in options.get("closes", ()))
        for artifact in closes:
            if artifact not in consumes:
                raise CatalogError(f"{what}: closes '{artifact}' but does not consume it")
        return consumes, closes


def _check_options(what: str, given: Iterable[str], known: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            raise CatalogError(f"{what}: no option '{name}'; there are {', '.join(sorted(known))}")


def schema_for(
    shape: Shape | None, what: str, where: str, *, strict: bool = False
) -> CompiledSchema:
    """Compile what an author gave; it is always about an object. Raise CatalogError."""
    if isinstance(shape, type):
        if not issubclass(shape, msgspec.Struct):
            raise CatalogError(f"{what}: {where}: '{shape.__name__}' is no msgspec struct")
        document = closed(schema_of(shape)) if strict else schema_of(shape)
    else:
        document = ANY_SCHEMA if shape is None else shape
    if isinstance(document, dict):
        document = {"type": "object", **document}
    try:
        schema = compile_schema(document, strict=strict)
    except SchemaRefused as error:
        raise CatalogError(f"{what}: {where}: {error}") from error
    types = schema.document["type"]
    if "object" not in ([types] if isinstance(types, str) else types):
        raise CatalogError(f"{what}: {where}: the schema of an object is expected, not of {types}")
    return schema


def _migrations(what: str, options: ActionOptions) -> dict[int, Migrate]:
    """Give what brings configs up to date: for each version before this one, without a gap."""
    version, given = options.get("config_version", 1), dict(options.get("migrations", {}))
    if version < 1:
        raise CatalogError(f"{what}: config_version: expected 1 or more, got {version}")
    wanted = set(range(1, version))
    if given.keys() != wanted:
        numbers = ", ".join(map(str, sorted(wanted))) or "none"
        raise CatalogError(f"{what}: migrations: expected from {numbers}, got {sorted(given)}")
    for number, function in given.items():
        if inspect.iscoroutinefunction(function):
            raise CatalogError(f"{what}: migrations: that from {number} is no plain function")
    return given


def _code_fields(what: str, fields: Iterable[str], schema: CompiledSchema) -> frozenset[str]:
    named = frozenset((fields,) if isinstance(fields, str) else fields)
    known = schema.document.get("properties")
    for name in sorted(named):
        if isinstance(known, dict) and name not in known:
            raise CatalogError(f"{what}: code_fields: '{name}' is no field of the config")
    return named


def title(local: str) -> str:
    """Make a name for people of an id: `create_issue` becomes `Create issue`."""
    text = re.sub(r"[._:-]+", " ", local).strip()
    return text[:1].upper() + text[1:]


def _first_line(function: object) -> str | None:
    text = inspect.getdoc(function) if inspect.isroutine(function) else None
    return text.partition("\n")[0].strip() if text else None
