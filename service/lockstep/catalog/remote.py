"""Remote actions: a request to whoever provides the action on the bus, and what it answers."""

from typing import Final

import msgspec
from msgspec import UNSET

from lockstep.catalog.builtins.headers import hop, trace
from lockstep.model.errors import EngineError, NobodyAnswers
from lockstep.model.messages import Reply
from lockstep.model.types import ActionContext, ActionResult, shared
from lockstep.ports.actions import Asker
from lockstep_schemas.events import HEADER_HOP
from lockstep_schemas.remote import ActionReply, ActionRequest

MARGIN_SECONDS: Final = 1.0  # the step's own limit speaks first

_reply = msgspec.json.Decoder(ActionReply).decode


class RemoteCall:
    """Calls one action of a service; see `model.types.Execute`."""

    def __init__(self, qualified_id: str, subject: str) -> None:
        self._id, self._subject = qualified_id, subject

    async def __call__(self, context: ActionContext) -> ActionResult:
        """Ask, and wait for the answer; whatever goes wrong on the way is a failed result."""
        headers = {HEADER_HOP: str(hop(context.scope) + 1), **trace(context)}
        seconds = context.timeout_seconds + MARGIN_SECONDS
        asker = context.services.get(Asker)
        try:
            reply = await asker.ask(self._subject, _request(context), headers, seconds)
        except NobodyAnswers:
            return _failed(
                f"nobody provides '{self._id}': no service answers on {self._subject}; start it, "
                "or see that it has joined the same NATS"
            )
        except EngineError as error:
            return _failed(f"'{self._id}' could not be asked: {error}{_sizes(context, error)}")
        return self._result(reply)

    def _result(self, reply: Reply) -> ActionResult:
        if reply.error_code:
            text = f"the provider of '{self._id}' answered {reply.error_code}: {reply.error}"
            return _failed(text)
        try:
            return result_of(_reply(reply.body))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            return _failed(f"the provider of '{self._id}' answered nonsense: {error}")


def result_of(reply: ActionReply) -> ActionResult:
    """Turn the answer of a provider into the result of a call.

    Raises:
        ValueError: It says neither how the work has ended nor that it was accepted.
    """
    if reply.accepted:
        return ActionResult(accepted=True)
    if reply.success is UNSET:
        raise ValueError("`success` is missing, and `accepted` is not true")
    return ActionResult(
        success=reply.success,
        artifact=reply.artifact,
        external_id=reply.external_id,
        error=reply.error,
        retry_after_ms=reply.retry_after_ms,
    )


def _request(context: ActionContext) -> bytes:
    config: object = context.config
    return msgspec.json.encode(
        ActionRequest(
            config=config if isinstance(config, dict) else {},
            consumed_artifacts=dict(context.consumed_artifacts),
            scope=dict(shared(context.scope)),
            run_id=context.run_id,
            automation_id=context.automation_id,
            context_key=context.context_key,
            step_path=context.step_path,
            attempt=context.attempt,
            idempotency_key=context.idempotency_key,
        )
    )


def _sizes(context: ActionContext, error: EngineError) -> str:
    """Say what makes a request so large, where the bus does not take it."""
    if error.code != "bus.message_too_large":
        return ""
    parts = {
        "config": context.config,
        "consumed_artifacts": context.consumed_artifacts,
        "scope": shared(context.scope),
    }
    sizes = [f"{name} {len(msgspec.json.encode(part)):,}" for name, part in parts.items()]
    return f"; of the request, in bytes: {', '.join(sizes)}"


def _failed(error: str) -> ActionResult:
    return ActionResult(success=False, error=error)
