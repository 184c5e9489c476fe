"""Stubs of an author's own actions: what a case says that they answer, and how they were called."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from lockstep.catalog import compile_schema
from lockstep.model.types import ActionContext, ActionResult, ActionType, ArtifactType, Execute
from lockstep_schemas.base import Json, JsonObject


class Actions(Protocol):
    """Where actions are looked up."""

    def override_action(self, kind: ActionType) -> Callable[[], None]:
        """Put one in the place of whatever is there; give what puts that back."""
        ...


class Stubs:
    """The stubs of the case that runs now."""

    def __init__(self) -> None:
        self.calls: list[JsonObject] = []
        self._answers: dict[str, list[Json]] = {}
        self._undo: list[Callable[[], None]] = []

    def begin(self, wanted: Mapping[str, Json]) -> None:
        """Put every catalog back as it was; have the answers of another case."""
        while self._undo:
            self._undo.pop()()
        self.calls.clear()
        self._answers = {
            name: list(answers) if isinstance(answers, list) else [answers]
            for name, answers in wanted.items()
        }

    def lend(self, catalog: Actions, kind: ActionType) -> None:
        """Let a catalog have an action until the next case."""
        self._undo.append(catalog.override_action(kind))

    def put(self, catalog: Actions) -> None:
        """Take the stubs of this case into a catalog."""
        for name in self._answers:
            self._undo.append(catalog.override_action(self._kind(name)))

    def _kind(self, name: str) -> ActionType:
        """Make the type of a stub; what it produces is called as an answer says, or like it."""
        plugin = name.partition(".")[0]
        called = [one["produces"] for one in self._answers[name] if "produces" in one]
        produced = f"{plugin}.{called[0]}" if called else name
        anything = compile_schema({"type": "object"})
        return ActionType(
            qualified_id=name,
            plugin=plugin,
            display_name=name,
            execute=self._execute(name),
            config_schema=anything,
            produces=ArtifactType(
                qualified_id=produced, plugin=plugin, display_name=produced, schema=anything
            ),
            needs_id=False,  # whether what it stands for produces anything is not known here
            source="case",
        )

    def _execute(self, name: str) -> Execute:
        async def execute(context: ActionContext) -> ActionResult:
            self.calls.append({"action": name, "config": _given(context.config)})
            answers = self._answers.get(name) or [{"error": f"the case has no stub of {name}"}]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            return ActionResult(
                success="error" not in answer and "retry_after_ms" not in answer,
                artifact=answer.get("artifact"),
                error=answer.get("error"),
                retry_after_ms=answer.get("retry_after_ms"),
            )

        return execute


def _given(config: object) -> Json:
    """Give a config without what its type takes by default: a new field would be one more."""
    told: Json = msgspec.to_builtins(config)
    if not isinstance(config, msgspec.Struct):
        return told
    for field in msgspec.structs.fields(config):
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if getattr(config, field.name) == default:
            told.pop(field.encode_name, None)
    return told
