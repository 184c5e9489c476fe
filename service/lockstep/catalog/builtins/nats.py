"""The plug-in `nats`: `nats.publish` and `nats.request`."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from lockstep.catalog.builtins.bodies import Kind, decoded, encoded
from lockstep.catalog.builtins.headers import headers_fault, hop, names_schema, trace
from lockstep.catalog.registry import Registry
from lockstep.model.errors import BusUnavailable, EngineError, NobodyAnswers, Unavailable
from lockstep.model.types import ActionContext, ActionResult, ConfigFaults, Execute
from lockstep.ports.actions import Asker, Messages
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import HEADER_HOP, HEADER_MESSAGE_ID

CATEGORY: Final = "NATS"
MAX_SUBJECT_BYTES: Final = 512  # as `bus.names`: past some 4 KiB the server cuts the connection
MAX_SECONDS: Final = 3600  # as `fetch.settings`: what takes longer is told by an event
# A scope holds 1 MiB: what is larger could not be kept.
MAX_REPLY_BYTES: Final = 524_288
AGAIN_SECONDS: Final = 0.25  # a server that is started again may be back within a second
MARGIN_SECONDS: Final = 1.0  # before the limit of the step, which would say less of the reason

# The engine sets these: one makes a repeated call harmless, one ends loops of automations.
_OWN_HEADERS: Final = frozenset({HEADER_MESSAGE_ID.lower(), HEADER_HOP.lower()})

Subject = Annotated[str, Meta(min_length=1, description="Words with dots, no wildcards.")]


class Publish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Publish a message to a stream."""

    subject: Subject
    payload: Annotated[Json, Meta(description="A text is sent as it is, everything else as JSON.")]
    headers: Annotated[
        dict[str, str],
        Meta(
            description="Headers of the message, but those of the engine.",
            extra_json_schema={"propertyNames": names_schema(_OWN_HEADERS)},
        ),
    ] = {}
    stream: Annotated[
        bool,
        Meta(
            description="False: to whoever listens at that moment; no stream has to take it, "
            "nobody acknowledges it, and a step that is repeated may send it twice."
        ),
    ] = True


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask a service on the bus."""

    subject: Subject
    payload: Annotated[
        Json,
        Meta(
            description="A text is sent as it is, everything else as JSON.",
            extra_json_schema={"x-secret": True},
        ),
    ]
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=MAX_SECONDS, description="How long the answer may take.")
    ] = 10.0


class ReplyArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answered."""

    payload: Annotated[Json, Meta(description="The JSON value, or the text if it is no JSON.")]
    kind: Annotated[Kind, Meta(description="How the payload was read.")]
    headers: Annotated[dict[str, str], Meta(description="Those of the answer.")]


def register_nats(prefix: str) -> Callable[[Registry], None]:
    """Make what registers the plug-in for an engine whose subjects begin with `prefix`."""

    def register(registry: Registry) -> None:
        registry.add_action(
            "publish",
            publisher(prefix),
            config=Publish,
            category=CATEGORY,
            config_faults=static_faults(prefix, takes_events=True),
        )
        registry.artifact("reply", schema=ReplyArtifact)
        registry.add_action(
            "request",
            requester(prefix),
            config=Request,
            produces="reply",
            category=CATEGORY,
            config_faults=static_faults(prefix, takes_events=False),
            timeout_seconds=MAX_SECONDS + 10,  # its config has the limit that counts
        )

    return register


def publisher(prefix: str) -> Execute:
    """Make the action `nats.publish` for an engine whose subjects begin with `prefix`."""

    async def publish(context: ActionContext) -> ActionResult:
        """Publish a message to a stream, once however often the step is repeated."""
        config = msgspec.convert(context.config, Publish)
        wrong = subject_fault(config.subject, prefix, takes_events=True)
        wrong = wrong or (None if config.stream else _plain_fault(config.subject, prefix))
        wrong = wrong or headers_fault(config.headers, _OWN_HEADERS)
        if wrong:
            return _failed(wrong)
        try:
            body = encoded(config.payload)
        except ValueError as error:
            return _failed(f"payload: {error}")
        headers = {**trace(context), **config.headers, **_own_headers(context)}
        target = context.services.get(Messages)
        try:
            if config.stream:
                await _stored(target, config.subject, body, headers, context.timeout_seconds)
            else:
                await target.send(config.subject, body, headers)
        except EngineError as error:
            return _failed(f"not published to '{config.subject}': {_field(error)}{error}")
        return ActionResult(external_id=context.idempotency_key)

    return publish


async def _stored(
    target: Messages, subject: str, body: bytes, headers: Mapping[str, str], seconds: float
) -> None:
    """Publish again, within the time of the step, where it is in doubt whether it was stored.

    The message id makes that harmless. After a connection that broke, a stream that is not there
    may be one that has not come back yet.

    Raises:
        EngineError: It was refused, or the time is over.
    """
    loop = asyncio.get_running_loop()
    end, in_doubt = loop.time() + seconds - MARGIN_SECONDS, False
    while True:
        try:
            await target.publish(subject, body, headers)
        except Unavailable as error:
            in_doubt = in_doubt or error.code == BusUnavailable.code
            if not in_doubt or loop.time() + AGAIN_SECONDS >= end:
                raise
        else:
            return
        await asyncio.sleep(AGAIN_SECONDS)


def requester(prefix: str) -> Execute:
    """Make the action `nats.request` for an engine whose subjects begin with `prefix`."""

    async def request(context: ActionContext) -> ActionResult:
        """Ask a service on the bus and keep its answer."""
        config = msgspec.convert(context.config, Request)
        subject, seconds = config.subject, config.timeout_seconds
        wrong = subject_fault(subject, prefix, takes_events=False)
        if wrong:
            return _failed(wrong)
        try:
            body = encoded(config.payload)
        except ValueError as error:
            return _failed(f"payload: {error}")
        headers = {**trace(context), **_own_headers(context)}
        try:
            reply = await context.services.get(Asker).ask(subject, body, headers, seconds)
        except NobodyAnswers:
            return _failed(f"'{subject}': nobody answers there")
        except EngineError as error:
            return _failed(f"'{subject}': {_field(error)}{error}")
        if reply.error_code:
            return _failed(f"'{subject}' answered with error {reply.error_code}: {reply.error}")
        if len(reply.body) > MAX_REPLY_BYTES:
            size = len(reply.body)
            return _failed(
                f"'{subject}': the reply has {size:,} bytes; {MAX_REPLY_BYTES:,} are allowed"
            )
        payload, kind = decoded(reply.body, is_json=True)
        return ActionResult(
            artifact={"payload": payload, "kind": kind, "headers": dict(reply.headers)}
        )

    return request


def subject_fault(subject: str, prefix: str, *, takes_events: bool) -> str | None:
    """Say why an automation must not send to a subject; `takes_events`: it may fire triggers."""
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
    if subject.startswith(("$", "_INBOX")):
        return f"subject '{subject}': subjects of the server itself are not for automations"
    if words[0] != prefix or (takes_events and words[1:2] in (["trigger"], ["lane"])):
        return None
    if takes_events:
        return f"subject '{subject}': below '{prefix}.', only 'trigger' and 'lane' are for events"
    return f"subject '{subject}': what is below '{prefix}.' is the engine's own"


def static_faults(prefix: str, *, takes_events: bool) -> ConfigFaults:
    """Make what says of a config, before it is rendered, what is wrong with its subject."""

    def faults(config: JsonObject) -> Iterator[tuple[str, str]]:
        subject = config.get("subject")
        if not isinstance(subject, str) or not subject or "{{" in subject:
            return  # another shape, which the schema tells; or judged when it is rendered
        wrong = subject_fault(subject, prefix, takes_events=takes_events)
        if wrong is None and config.get("stream") is False:
            wrong = _plain_fault(subject, prefix)
        if wrong is not None:
            yield "subject", wrong

    return faults


def _plain_fault(subject: str, prefix: str) -> str | None:
    if subject.split(".", maxsplit=1)[0] != prefix:
        return None
    return (
        f"subject '{subject}': events go to a stream, which keeps them; leave out `stream: false`"
    )


def _field(error: EngineError) -> str:
    return "payload: " if error.code == "bus.message_too_large" else ""


def _own_headers(context: ActionContext) -> dict[str, str]:
    return {
        HEADER_MESSAGE_ID: context.idempotency_key,
        HEADER_HOP: str(hop(context.scope) + 1),
    }


def _failed(error: str) -> ActionResult:
    return ActionResult(success=False, error=error)
