"""The call of an action: what it is handed, its time limit, and what it gives back."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec

from lockstep.model.automations import DefinitionUnreadable
from lockstep.model.errors import RenderError
from lockstep.model.foreign import Border, called, reason_of
from lockstep.model.secrets import MASKER, SecretRefused
from lockstep.model.texts import path_text, said
from lockstep.model.types import ActionContext, ActionResult, ActionType, OwnScope, own
from lockstep.model.waits import FiredWait
from lockstep.walk.bounds import encoded_parts
from lockstep.walk.fill import secrets_of, with_secrets
from lockstep.walk.frames import LeafFrame
from lockstep.walk.step import Step
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.depth import MAX_DEPTH, nests_deeper
from lockstep_schemas.remote import ActionReply


async def call(
    kind: ActionType, config: object, seconds: float, frame: LeafFrame, step: Step
) -> ActionResult:
    """Call it within its time; whatever it raises is a failure of the step.

    Raises:
        GivenUp: It needs an automation that this replica cannot compile.
    """
    run, parts, context = (
        step.walk.run,
        step.walk.parts,
        _context(kind, config, seconds, frame, step),
    )
    if parts.traces is None:
        return _kept(await _call(kind, context, step))
    name, attempt = kind.qualified_id, context.attempt
    with parts.traces.step(run, step.path, name, attempt, parts.clock) as span:
        context = replace(context, traceparent=span.traceparent)
        result = _kept(await _call(kind, context, step))
        if result.error is not None and not result.success:
            span.failed(result.error)
        return result


async def _call(kind: ActionType, context: ActionContext, step: Step) -> ActionResult:
    seconds = context.timeout_seconds
    try:
        async with step.walk.parts.clock.limit(seconds):
            with Border():
                result = await kind.execute(context)
    except TimeoutError:
        return _failed(_late(seconds))
    except DefinitionUnreadable as error:
        raise step.walk.cannot(f"{step.path}: {error}") from error
    except Exception as error:
        context.logger.warning("action.failed", exc_info=True)
        return _failed(reason_of(error))
    if not isinstance(result, ActionResult):
        given = type(result).__name__
        return _failed(f"the action gave {given}, not an ActionResult")
    return result


def follow_up(fired: FiredWait, seconds: float) -> ActionResult:
    """Read the result that came after the call was answered, or that did not come in time."""
    return _kept(_followed(fired, seconds))


def _followed(fired: FiredWait, seconds: float) -> ActionResult:
    if fired.cause != "event":
        return _failed(_late(seconds))
    try:
        reply = msgspec.convert(fired.payload, ActionReply)
    except msgspec.ValidationError as error:
        return _failed(f"the result that followed is nonsense: {error}")
    if reply.success is msgspec.UNSET:
        return _failed("the result that followed does not say `success`")
    return ActionResult(
        success=reply.success,
        artifact=reply.artifact,
        external_id=reply.external_id,
        error=reply.error,
        retry_after_ms=reply.retry_after_ms,
    )


async def resolved(kind: ActionType, config: JsonObject, step: Step) -> JsonObject:
    """Give a config with the secrets that it asks for; it is for one call and kept nowhere.

    Raises:
        SecretRefused: One of them cannot be had.
    """
    names = secrets_of(config, kind)
    if not names:
        return config
    secrets, run = step.walk.parts.secrets, step.walk.run
    if secrets is None:
        raise SecretRefused(f"secret '{names[0]}': this engine has no source of secrets")
    values = await secrets.resolve(names, str(run.id), run.automation_id)
    filled: JsonObject = with_secrets(config, kind, values)
    return filled


def brought_up(config: JsonObject, kind: ActionType, stored: int) -> JsonObject:
    """Bring a config that was stored under an older version of its type up to date.

    Raises:
        RenderError: It is of a later version than this engine has, or a migration failed.
    """
    if stored > kind.config_version:
        raise RenderError(
            f"config: it is of version {stored}, and this engine has '{kind.qualified_id}' with "
            f"version {kind.config_version}: bring the plug-in up to date"
        )
    for version in range(stored, kind.config_version):
        try:
            config = own(called(kind.migrations[version], own(config)))
        except Exception as error:
            text = f"config: the migration from version {version} failed: {said(error)}"
            raise RenderError(text) from error
    return config


def converted(kind: ActionType, config: JsonObject) -> object:
    """Give the config as the type wants it, for one call: the next attempt has the same.

    Raises:
        ValidationError: It is not of the type's shape; the message names the field.
    """
    config = own(config)
    if kind.config_type is not None:
        try:
            # A struct of a plug-in may have code of its own that runs here.
            return called(msgspec.convert, config, kind.config_type, strict=False)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(MASKER.text(f"config: {error}")) from None
    for fault in kind.config_schema.faults(config):
        place = path_text(["config", *fault.path])
        raise msgspec.ValidationError(MASKER.text(f"{place}: {fault.message}"))
    return config


async def consume(kind: ActionType, frame: LeafFrame, step: Step) -> None:
    """Keep what the type consumes, by local name, and what a success closes of it.

    Raises:
        ValueTooLarge: Together it is more than a value may be.
    """
    if not kind.consumes:
        return
    walk = step.walk
    await walk.checkpoint()  # what this run has produced counts too
    run = walk.run
    ask = partial(walk.parts.history.consumable, run.automation_id, run.context_key, kind.consumes)
    found = await walk.parts.patience.with_store(ask)
    consumed = {_local(name): one.data for name, one in found.items()}
    written = encoded_parts("consumed_artifacts", consumed)
    if consumed:
        step.note_written("consumed", written)
    frame.consumed = consumed
    frame.closes = [found[name].id for name in kind.closes if name in found] or None


def _local(qualified_id: str) -> str:
    return qualified_id.partition(".")[2]


def _context(
    kind: ActionType, config: object, seconds: float, frame: LeafFrame, step: Step
) -> ActionContext:
    run = step.walk.run
    consumed: Mapping[str, Json] = own(frame.consumed) if frame.consumed else {}
    return ActionContext(
        config=config,
        consumed_artifacts=consumed,
        scope=OwnScope(step.context),
        run_id=str(run.id),
        automation_id=run.automation_id,
        context_key=run.context_key,
        step_path=step.path,
        attempt=frame.attempt,
        idempotency_key=f"{run.id}:{step.path}",
        logger=step.walk.log.bind(path=step.path, action=kind.qualified_id),
        services=step.walk.parts.services,
        timeout_seconds=seconds,
        traceparent=run.traceparent,
    )


def _kept(result: ActionResult) -> ActionResult:
    """Give a result as it is stored, told and put into other values."""
    if nests_deeper(result.artifact, MAX_DEPTH + 1):  # a field of it may be a body
        result = _failed(f"the artifact nests deeper than {MAX_DEPTH + 1} levels")
    return _masked(result)


def _masked(result: ActionResult) -> ActionResult:
    """Take resolved secrets out of what is stored and told: services echo what they are sent.

    Then, and not before, the words of a service are cut: half of a secret is not masked.
    """
    error = None if result.error is None else said(result.error)
    if not MASKER.knows_any:
        return result if error is None else msgspec.structs.replace(result, error=error)
    return msgspec.structs.replace(
        result,
        artifact=MASKER.json(result.artifact),
        external_id=MASKER.json(result.external_id),
        error=error,
    )


def _late(seconds: float) -> str:
    return f"no result within {seconds:g} s"


def _failed(error: str) -> ActionResult:
    return ActionResult(success=False, error=error)
