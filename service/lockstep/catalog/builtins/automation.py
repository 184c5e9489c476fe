"""The plug-in `automation`: schedules, `automation.log` and `automation.notify_user`."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta

from lockstep.catalog.builtins.headers import trace
from lockstep.catalog.builtins.start import add_start
from lockstep.catalog.registry import Registry
from lockstep.model.errors import EngineError, NobodyAnswers
from lockstep.model.types import ActionContext, ActionResult, Execute
from lockstep.ports.actions import Asker
from lockstep.schedule import KINDS, PREFIX, Fired
from lockstep_schemas.events import HEADER_MESSAGE_ID
from lockstep_schemas.notify import (
    ChannelResult,
    Importance,
    NotifyReply,
    NotifyRequest,
    NotifyUserResult,
)

CATEGORY: Final = "Automation"
NOTIFY_SECONDS: Final = 30.0  # as long as `http.request` waits unless told otherwise


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Write a line to the log of the engine."""

    message: Annotated[str, Meta(description="The line.")]
    level: Annotated[
        Literal["debug", "info", "warning", "warn", "error"],
        Meta(description="`warn` is `warning`."),
    ] = "info"


class NotifyUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tell a user something."""

    userId: Annotated[  # noqa: N815 - as automations write it
        str, Meta(min_length=1, description="Who is told.")
    ]
    title: Annotated[str, Meta(description="One line.")]
    body: Annotated[str, Meta(description="The text.")]
    importance: Annotated[Importance, Meta(description="How urgent it is.")] = "info"


class NonsenseReply(EngineError):
    """The service that delivers notifications gave a reply that makes no sense: correct it."""

    code = "notify.nonsense"
    advice = "Correct the service: `schemas/json/notify-reply.schema.json` is its reply."


def register_automation(prefix: str) -> Callable[[Registry], None]:
    """Make what registers the plug-in; `prefix` is that of the engine's own subjects."""

    def register(registry: Registry) -> None:
        for event_id, kind in KINDS.items():
            registry.trigger(
                event_id.removeprefix(PREFIX),
                config=kind,
                payload=Fired,
                category=CATEGORY,
                description=kind.__doc__ or "",
            )
        add_start(registry)
        registry.add_action("log", _log, config=Log, category=CATEGORY)
        registry.artifact("notify_user_result", schema=NotifyUserResult)
        registry.add_action(
            "notify_user",
            _notifier(f"{prefix}.notify"),
            config=NotifyUser,
            produces="notify_user_result",
            category=CATEGORY,
        )

    return register


async def _log(context: ActionContext) -> None:
    """Write a line to the log of the engine."""
    config = msgspec.convert(context.config, Log)
    logger = context.logger
    write = {
        "debug": logger.debug,
        "warning": logger.warning,
        "warn": logger.warning,
        "error": logger.error,
    }
    write.get(config.level, logger.info)("action.logged", message=config.message)


def _notifier(subject: str) -> Execute:
    async def notify_user(context: ActionContext) -> ActionResult:
        """Tell a user something, on whatever channels reach the user."""
        config = msgspec.convert(context.config, NotifyUser)
        request = NotifyRequest(
            userId=config.userId,
            title=config.title,
            body=config.body,
            importance=config.importance,
            run_id=context.run_id,
            automation_id=context.automation_id,
            idempotency_key=context.idempotency_key,
        )
        headers = {HEADER_MESSAGE_ID: context.idempotency_key, **trace(context)}
        try:
            body = msgspec.json.encode(request)
            asker = context.services.get(Asker)
            reply = await asker.ask(subject, body, headers, NOTIFY_SECONDS)
            if reply.error_code:
                return _failed(f"refused: {reply.error or 'no reason'} ({reply.error_code})")
            result = read_reply(config.userId, reply.body)
        except NobodyAnswers:
            return _failed(f"no service delivers notifications: nobody listens on '{subject}'")
        except (EngineError, UnicodeEncodeError) as error:
            return _failed(str(error))
        if result.deliveredCount == 0:
            return _failed(_why_not(result.results))
        return ActionResult(artifact=msgspec.to_builtins(result))

    return notify_user


def read_reply(user_id: str, body: bytes) -> NotifyUserResult:
    """Read what became of a notification.

    Raises:
        NonsenseReply: It is none, or contradicts itself.
    """
    try:
        reply = msgspec.json.decode(body, type=NotifyReply)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NonsenseReply(f"the reply of the notification service: {error}") from None
    results = [] if reply.results is UNSET else reply.results
    successes = sum(one.success for one in results)
    if reply.deliveredCount is UNSET:
        if reply.results is UNSET:
            raise NonsenseReply(
                "the reply of the notification service has neither `results` nor `deliveredCount`"
            )
        return NotifyUserResult(userId=user_id, deliveredCount=successes, results=results)
    count = reply.deliveredCount
    if count < 0 or (results and (count > 0) != (successes > 0)):
        raise NonsenseReply(
            f"the reply of the notification service: deliveredCount is {count}, but {successes} of"
            f" {len(results)} channels were successful"
        )
    return NotifyUserResult(userId=user_id, deliveredCount=count, results=results)


def _why_not(results: Sequence[ChannelResult]) -> str:
    failures = "; ".join(f"{one.channel}: {one.error or 'no reason'}" for one in results)
    return f"delivered on no channel: {failures or 'the user has none'}"


def _failed(reason: str) -> ActionResult:
    return ActionResult(success=False, error=f"not notified: {reason}")
