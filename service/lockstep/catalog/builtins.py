"""What comes with the engine: `automation.log`, `nats.publish`, and triggers of schedules."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from lockstep.catalog.memory import MemoryCatalog
from lockstep.catalog.registry import Registry
from lockstep.catalog.start import add_start
from lockstep.model.catalog import ActionContext, ActionResult, Execute
from lockstep.model.errors import EngineError
from lockstep.ports import Publisher
from lockstep.schedule import KINDS, PREFIX, Fired
from lockstep_schemas.base import Json
from lockstep_schemas.events import HEADER_HOP, HEADER_MESSAGE_ID, HEADER_TRACE

MAX_SUBJECT_BYTES: Final = 512

_HEADER: Final = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# The engine sets these: one makes a repeated call harmless, one ends loops of automations.
_OWN_HEADERS: Final = frozenset({HEADER_MESSAGE_ID.lower(), HEADER_HOP.lower()})
_HEADER_NAMES: Final = {
    "pattern": f"^{_HEADER}$",
    "not": {"pattern": f"(?i)^({HEADER_MESSAGE_ID}|{HEADER_HOP})$"},
}


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Write a line to the log of the engine."""

    message: str
    level: Literal["debug", "info", "warn", "error"] = "info"


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publish a message to a stream."""

    subject: Annotated[str, Meta(min_length=1, description="Words with dots, no wildcards.")]
    payload: Annotated[Json, Meta(description="A text is sent as it is, everything else as JSON.")]
    headers: Annotated[
        dict[str, str], Meta(extra_json_schema={"propertyNames": _HEADER_NAMES})
    ] = {}


def register_builtins(catalog: MemoryCatalog, *, prefix: str = "lockstep") -> None:
    """Add the actions that come with the engine.

    Args:
        catalog: Where they go.
        prefix: The first word of the engine's own subjects, which automations must leave alone.
    """
    catalog.register("automation", _automation)
    with catalog.registering("nats") as registry:
        registry.add_action("publish", publisher(prefix), config=Publish, category="NATS")


def _automation(registry: Registry) -> None:
    add_start(registry)
    for event_id, kind in KINDS.items():
        registry.trigger(
            event_id.removeprefix(PREFIX),
            config=kind,
            payload=Fired,
            category="Automation",
            description=kind.__doc__ or "",
        )

    @registry.action("log", config=Log, category="Automation")
    async def log(context: ActionContext) -> None:
        """Write a line to the log of the engine."""
        config = msgspec.convert(context.config, Log)
        logger = context.logger
        write = {"debug": logger.debug, "warn": logger.warning, "error": logger.error}
        write.get(config.level, logger.info)("action.logged", message=config.message)


def publisher(prefix: str) -> Execute:
    """Make the action `nats.publish` for an engine whose subjects begin with `prefix`."""

    async def publish(context: ActionContext) -> ActionResult:
        """Publish a message to a stream, once however often the step is repeated."""
        config = msgspec.convert(context.config, Publish)
        wrong = subject_fault(config.subject, prefix) or headers_fault(config.headers)
        if wrong:
            return ActionResult(success=False, error=wrong)
        payload = config.payload
        try:
            body = payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)
        except (UnicodeEncodeError, TypeError) as error:
            return ActionResult(success=False, error=f"payload: cannot be sent: {error}")
        headers = {
            **config.headers,
            HEADER_MESSAGE_ID: context.idempotency_key,
            HEADER_HOP: str(hop(context.scope) + 1),
        }
        trace = traceparent(context.scope)
        if trace is not None:
            headers.setdefault(HEADER_TRACE, trace)
        try:
            await context.services.get(Publisher).publish(config.subject, body, headers)
        except EngineError as error:
            text = f"not published to '{config.subject}': {error}"
            return ActionResult(success=False, error=text)
        return ActionResult(external_id=context.idempotency_key)

    return publish


def hop(scope: Mapping[str, object]) -> int:
    """Give how many automations led to the event of a run; 0 where that is unknown."""
    trigger = scope.get("trigger")
    known = trigger.get("hop") if isinstance(trigger, Mapping) else None
    return known if isinstance(known, int) and known > 0 else 0


def traceparent(scope: Mapping[str, object]) -> str | None:
    """Give the trace context that the event of a run carried. Source: W3C Trace Context."""
    trigger = scope.get("trigger")
    found = trigger.get("traceparent") if isinstance(trigger, Mapping) else None
    return found if isinstance(found, str) else None


def subject_fault(subject: str, prefix: str) -> str | None:
    """Say why an automation must not publish to a subject."""
    words = subject.split(".")
    if "" in words:
        return f"subject '{subject}': a word between the dots is empty"
    if "*" in words or ">" in words:
        return f"subject '{subject}': wildcards are for listening, not for publishing"
    if any(char.isspace() or not char.isprintable() for char in subject):
        return f"subject {subject!r}: spaces and control characters are not allowed"
    if len(subject.encode(errors="replace")) > MAX_SUBJECT_BYTES:
        return f"subject '{subject[:40]}…': longer than {MAX_SUBJECT_BYTES} bytes"
    # The engine's connection may do what authors of automations may not: manage streams, control.
    if subject.startswith(("$", "_INBOX.")):
        return f"subject '{subject}': subjects of the server itself are not for automations"
    if words[0] == prefix and words[1:2] not in (["trigger"], ["lane"]):
        return f"subject '{subject}': below '{prefix}.', only 'trigger' and 'lane' are for events"
    return None


def headers_fault(headers: Mapping[str, str]) -> str | None:
    """Say what is wrong with the headers that an author gave."""
    for name, value in headers.items():
        if name.lower() in _OWN_HEADERS:
            return f"header '{name}': the engine sets it; leave it out"
        if not re.fullmatch(_HEADER, name):
            return f"header {name!r}: a name of letters, digits and hyphens is expected"
        if any(char in value for char in "\r\n\0"):
            return f"header '{name}': a value without line breaks is expected"
    return None
