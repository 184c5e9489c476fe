"""Types of triggers, actions and artifacts: what plug-ins and services bring to the language."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import Actor

ANY_SCHEMA: JsonObject = {"type": "object"}
Service = TypeVar("Service")
TypeKind: TypeAlias = Literal["trigger", "action"]


class SchemaFault(msgspec.Struct, frozen=True):
    """One place in a value that its schema refuses."""

    path: tuple[str | int, ...]
    message: str
    keyword: str  # the JSON Schema keyword that refused: `required`, `additionalProperties`, ..
    names: tuple[str, ...] = ()  # the keys that are missing or unknown, where it is about keys


class Schema(Protocol):
    """A JSON Schema, compiled."""

    @property
    def document(self) -> JsonObject:
        """The schema as JSON (draft 2020-12)."""
        ...

    def is_valid(self, value: object) -> bool:
        """Say whether `value` is right: the fast way, for where the faults do not matter."""
        ...

    def faults(self, value: object) -> Sequence[SchemaFault]:
        """Say everything that is wrong with `value`; nothing if it is right."""
        ...


class Logger(Protocol):
    """What an action logs to: run id and automation id are bound already."""

    def debug(self, event: str, **fields: object) -> object: ...
    def info(self, event: str, **fields: object) -> object: ...
    def warning(self, event: str, **fields: object) -> object: ...
    def error(self, event: str, **fields: object) -> object: ...


class Services(Protocol):
    """Things an action may need of the engine, by their type."""

    # `Callable`, not `type`: for mypy a protocol is no `type[Service]`, and most of them are.
    def get(self, kind: Callable[..., Service]) -> Service:
        """Give the service of this type; raise LookupError, naming it, where there is none."""
        ...


def own(value: Json) -> Json:
    """Give a copy of a JSON value: what a plug-in is handed and what it has given, it may change.

    Lists and objects of the engine are shared by runs, attempts and steps, and never changed.
    """
    return msgspec.to_builtins(value)


class OwnScope(Mapping[str, object]):
    """A scope for somebody who may change what he gets: a name is copied when he asks for it."""

    __slots__ = ("_make", "_own", "_shared")

    def __init__(self, make: Callable[[], Mapping[str, object]]) -> None:
        self._make, self._own = make, dict[str, object]()
        self._shared: Mapping[str, object] | None = None

    @property
    def shared(self) -> Mapping[str, object]:
        """What everybody sees; it is made when somebody looks, as most actions do not."""
        if self._shared is None:
            self._shared = self._make()
        return self._shared

    def __getitem__(self, name: str) -> object:
        """Give the copy of what a name stands for: the same one each time."""
        if name not in self._own:
            self._own[name] = own(self.shared[name])
        return self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shared)

    def __len__(self) -> int:
        return len(self.shared)


def shared(scope: Mapping[str, object]) -> Mapping[str, object]:
    """Give a scope without copies, for the engine's own actions: they change nothing."""
    return scope.shared if isinstance(scope, OwnScope) else scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionContext:
    """What an action is called with; it may change all of it, and nobody else sees that."""

    config: object  # an instance of the type's config struct, or a JSON object
    consumed_artifacts: Mapping[str, Json]  # by local type name; missing ones are absent
    scope: Mapping[str, object]
    run_id: str
    automation_id: str
    context_key: str | None
    step_path: str
    attempt: int  # from 1
    idempotency_key: str  # `<run id>:<step path>`: the same for every attempt and after a crash
    logger: Logger
    services: Services
    timeout_seconds: float = 300  # after which the call is given up
    traceparent: str | None = None  # for what the call publishes and asks; see W3C Trace Context


class ActionResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an action says when it has ended."""

    success: bool = True
    artifact: JsonObject | None = None
    external_id: str | None = None
    error: str | None = None
    retry_after_ms: int | None = None
    accepted: bool = False
    """It goes on elsewhere and the result follows: for types with a `follow_up` only."""


Migrate: TypeAlias = Callable[[JsonObject], JsonObject]
Execute = Callable[[ActionContext], Awaitable[ActionResult]]
ConfigFaults: TypeAlias = Callable[[JsonObject], Iterable[tuple[str, str]]]
"""Says of a config as it is written which fields are wrong beyond its schema, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactType:
    """The shape of what actions produce."""

    qualified_id: str
    plugin: str
    display_name: str
    schema: Schema
    description: str | None = None

    @property
    def local_name(self) -> str:
        """The name without its plug-in, as templates and consumers use it."""
        return self.qualified_id.removeprefix(self.plugin + ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionType:
    """Something that can be done, and what it takes."""

    qualified_id: str
    plugin: str
    display_name: str
    execute: Execute
    config_schema: Schema
    config_type: type[msgspec.Struct] | None = None
    config_version: int = 1
    migrations: Mapping[int, Migrate] = field(default_factory=dict)  # from the version to the next
    config_faults: ConfigFaults | None = None
    description: str | None = None
    category: str = "Uncategorized"
    produces: ArtifactType | None = None
    needs_id: bool = True  # whether an action that produces must have a name for it
    consumes: tuple[str, ...] = ()  # qualified ids of artifact types
    closes: tuple[str, ...] = ()
    timeout_seconds: float = 300
    retry_safe: bool = True
    code_fields: frozenset[str] = frozenset()  # fields that rendering leaves alone
    # paths of the config that are declared as text, list items and values of maps as "*"
    text_paths: frozenset[tuple[str, ...]] = frozenset()
    secret_paths: frozenset[tuple[str, ...]] = frozenset()  # places that may ask for secrets
    source: str = "plugin"
    owner: str | None = None  # the service that registered it; None for a plug-in
    # How a result comes that a call may leave open: by an event, or by the end of another run.
    follow_up: Literal["remote", "child"] | None = None

    def takes_text(self, path: Sequence[str]) -> bool:
        """Say whether the config at `path` always gets text; list items are "*" in it."""
        if tuple(path) in self.text_paths:
            return True
        return any(
            len(declared) == len(path) and _covers(declared, path)
            for declared in self.text_paths
            if "*" in declared
        )

    def takes_secrets(self, path: Sequence[str]) -> bool:
        """Say whether the config at `path` may ask for secrets; list items are "*" in it."""
        return any(_covers(declared, path) for declared in self.secret_paths)


def _covers(declared: Sequence[str], path: Sequence[str]) -> bool:
    """Say whether `path` is what was declared, or lies in it."""
    return len(declared) <= len(path) and all(
        a in ("*", b) for a, b in zip(declared, path, strict=False)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerType:
    """Something that can happen, and how its context key is found."""

    qualified_id: str
    plugin: str
    display_name: str
    payload_schema: Schema | None = None
    config_schema: Schema | None = None
    config_type: type[msgspec.Struct] | None = None
    context_key: Callable[[JsonObject], str | None] | None = None  # never raises
    context_key_text: str | None = None  # as its author wrote it; None for a Python function
    description: str | None = None
    category: str = "Uncategorized"
    source: str = "bus"  # or `setup`
    setup: Callable[..., object] | None = field(default=None, repr=False)
    owner: str | None = None  # the service or file that it comes from; None for a plug-in


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a set-up is made."""

    automation_id: str
    automation_name: str
    trigger_id: str
    event: str


class Fire(Protocol):
    """What a set-up calls when it happens."""

    async def __call__(
        self,
        payload: JsonObject,
        *,
        context_key: str | None | UnsetType = UNSET,
        actor: Actor | None = None,
        message_id: str | None = None,
    ) -> None:
        """Start what follows; when it returns, that is stored.

        Args:
            payload: A JSON object.
            context_key: Else what the type of the trigger extracts.
            actor: Who caused it; else the system.
            message_id: What is fired again under it changes nothing, for a day.

        Raises:
            FireRefused: The payload is wrong, or another replica runs this set-up now.
            Unavailable: The store is away; fire again.
        """
        ...

    def from_thread(self, payload: JsonObject, **how: str | None) -> None:
        """Call it from another thread; take `context_key` and `message_id`. Raise as the call.

        Refused in the thread of the engine's loop, which would wait for itself: await it there.
        """
        ...


class StoredType(msgspec.Struct, frozen=True):
    """A type as its owner has described it: JSON, as the API takes it."""

    kind: TypeKind
    id: str
    owner: str
    document: bytes
    revision: int


class Word(NamedTuple):
    """A filter or a test of expressions."""

    name: str
    is_test: bool
    usage: str
    """As it stands behind a value: `default(default_value="")`, `is divisibleby(num)`."""
    meaning: str
    """In one line; empty where a plug-in says nothing of its filter."""
    owner: str | None
    """The plug-in that brings it; none of what is built in."""


class Catalog(Protocol):
    """All types that are known."""

    @property
    def is_open(self) -> bool:
        """Whether any event id may be used, registered or not."""
        ...

    def trigger(self, event_id: str) -> TriggerType | None: ...
    def action(self, qualified_id: str) -> ActionType | None: ...
    def artifact(self, qualified_id: str) -> ArtifactType | None: ...
    def triggers(self) -> Sequence[TriggerType]: ...
    def actions(self) -> Sequence[ActionType]: ...
    def artifacts(self) -> Sequence[ArtifactType]: ...
