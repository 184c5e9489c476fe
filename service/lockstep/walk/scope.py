"""Scopes: what a name means at a place, and how far a change of it reaches.

choose, else and sequence share the surrounding scope. A loop iteration opens one of its own: a name
first set there lives for the iteration, an outer name that is set there changes outside. A parallel
branch works on the scope as it was at the fork, and its changes are merged at the join.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from lockstep.model.errors import EngineError
from lockstep.walk.frames import ScopeNames, WaitResult
from lockstep_schemas.base import Json, JsonObject

# All of it is written anew with each checkpoint, and handed to each remote action in one message.
SCOPE_BYTES: Final = 1 << 20

_encode = msgspec.json.Encoder().encode


class ScopeTooLarge(EngineError):
    """A scope would grow past 1 MiB."""

    code = "run.scope_too_large"
    advice = "Keep less in variables: an id or a URL in place of what it stands for."


class Scope:
    """One scope, over the names that its frame keeps."""

    __slots__ = ("_bytes", "kind", "names", "parent")

    def __init__(
        self, names: ScopeNames, parent: "Scope | None", kind: Literal["run", "loop", "branch"]
    ) -> None:
        self.names, self.parent, self.kind = names, parent, kind
        has_names = names.variables or names.artifacts or names.answer
        self._bytes = len(_encode(names)) if has_names else 0

    def variables(self) -> Mapping[str, Json]:
        """All variables as they are seen from here."""
        own = self.names.variables
        if self.parent is None:
            return own
        outer = self.parent.variables()
        return {**outer, **own} if own else outer

    def artifacts(self) -> Mapping[str, JsonObject]:
        """All artifacts of the run as they are seen from here."""
        own = self.names.artifacts
        if self.parent is None:
            return own
        outer = self.parent.artifacts()
        return {**outer, **own} if own else outer

    def has(self, name: str) -> bool:
        """Say whether a variable of this name exists here or outside."""
        return name in self.names.variables or (self.parent is not None and self.parent.has(name))

    def assign(self, name: str, value: Json) -> None:
        """Set a variable: in the loop where it was first set, or here.

        Raises:
            ScopeTooLarge: The scope would be larger than 1 MiB; nothing is set.
        """
        own = self.names.variables
        if self.kind == "loop" and name not in own and self.parent and self.parent.has(name):
            self.parent.assign(name, value)
            return
        self._grow(name, value, own.get(name))
        own[name] = value

    def produce(self, action_id: str, local_name: str, data: JsonObject) -> None:
        """Keep what an action produced: for the run, or for the branch until the join.

        Raises:
            ScopeTooLarge: The scope would be larger than 1 MiB.
        """
        if self.kind == "loop" and self.parent:
            self.parent.produce(action_id, local_name, data)
            return
        own = self.names.artifacts
        self._grow(action_id, data, own.get(action_id))
        own[action_id] = {local_name: data}

    def answer(self) -> WaitResult | None:
        """How the last wait for an event ended, as it is seen from here."""
        if self.names.answer is not None or self.parent is None:
            return self.names.answer
        return self.parent.answer()

    def keep_answer(self, answer: WaitResult) -> None:
        """Keep how a wait ended: for the run, or within a branch.

        Raises:
            ScopeTooLarge: The scope would be larger than 1 MiB.
        """
        if self.kind == "loop" and self.parent:
            self.parent.keep_answer(answer)
            return
        self._grow("resume", answer, self.names.answer)
        self.names.answer = answer

    def merge(self, changes: ScopeNames) -> None:
        """Take over what a branch has changed.

        Raises:
            ScopeTooLarge: The scope would be larger than 1 MiB.
        """
        for name, value in changes.variables.items():
            self.assign(name, value)
        for action_id, artifacts in changes.artifacts.items():
            for local_name, data in artifacts.items():
                self.produce(action_id, local_name, data)

    def _grow(self, name: str, value: object, before: object) -> None:
        size = self._bytes + len(name) + 4 + len(_encode(value))
        if before is not None:
            size -= len(name) + 4 + len(_encode(before))
        if size > SCOPE_BYTES:
            raise ScopeTooLarge(
                f"setting '{name}' would make the variables and artifacts of the run {size} bytes, "
                f"{SCOPE_BYTES} are allowed; keep large values elsewhere and pass a reference"
            )
        self._bytes = size
