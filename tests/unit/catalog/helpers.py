"""What the tests of the catalog share: a context to call actions with, and services in memory."""

from collections.abc import Callable, Mapping
from typing import Any

from lockstep.catalog import MemoryCatalog, Registry, ServiceBag
from lockstep.model.types import ActionContext, ActionType


class Lines:
    """A logger that keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: object) -> None:
        self.lines.append(("error", event, fields))


def catalog_of(*functions: Callable[[Registry], object], plugin: str = "jira") -> MemoryCatalog:
    """Make a catalog in which a plug-in has registered what the functions say."""
    catalog = MemoryCatalog(is_open=False)
    for function in functions:
        catalog.register(plugin, function)
    return catalog


def context(config: object, **changes: object) -> ActionContext:
    """Make what an action is called with."""
    fields: dict[str, Any] = {
        "config": config,
        "consumed_artifacts": {},
        "scope": {"trigger": {"hop": 2}},
        "run_id": "run-1",
        "automation_id": "auto-1",
        "context_key": None,
        "step_path": "actions[0]",
        "attempt": 1,
        "idempotency_key": "run-1:actions[0]",
        "logger": Lines(),
        "services": ServiceBag(),
    }
    return ActionContext(**{**fields, **changes})


def action_of(catalog: MemoryCatalog, qualified_id: str) -> ActionType:
    """Give an action type that must be there."""
    action = catalog.action(qualified_id)
    assert action is not None, qualified_id
    return action


class Outbox:
    """A publisher in memory; drops a message whose id it has, as a stream does."""

    def __init__(self, error: Exception | None = None) -> None:
        self.messages: list[tuple[str, bytes, dict[str, str]]] = []
        self.plain: list[tuple[str, bytes, dict[str, str]]] = []
        self._error = error
        self.swallowed: list[Exception | None] = []
        """How the next calls end: the first is raised once the message is stored, others before."""

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        if self._error is not None:
            raise self._error
        lost = self.swallowed.pop(0) if self.swallowed else None
        if lost is not None and self.messages:
            raise lost
        stored = self._store(subject, body, headers)
        if lost is not None:
            raise lost
        return stored

    async def send(self, subject: str, body: bytes, headers: Mapping[str, str]) -> None:
        if self._error is not None:
            raise self._error
        self.plain.append((subject, body, dict(headers)))

    def _store(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        known = {sent["Nats-Msg-Id"] for _, _, sent in self.messages}
        if headers["Nats-Msg-Id"] in known:
            return False
        self.messages.append((subject, body, dict(headers)))
        return True
