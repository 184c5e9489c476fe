"""A provider action: render its config, call it, keep what it produced."""

import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import msgspec

from lockstep.model.catalog import ActionContext, ActionResult, ActionType
from lockstep.model.errors import RenderError
from lockstep.model.ids import uuid7
from lockstep.model.program import Provide
from lockstep.model.run_events import iso
from lockstep.model.runs import ArtifactRow
from lockstep.ports import Clock
from lockstep.walk.fill import fill_config
from lockstep.walk.frames import LeafFrame
from lockstep.walk.outcome import Failed, Ok, Outcome, Suspended
from lockstep.walk.scope import ScopeTooLarge
from lockstep.walk.step import Step
from lockstep_schemas.actions import Retry
from lockstep_schemas.base import Json, JsonObject

LONGEST_RETRY_SECONDS: Final = 30 * 86_400.0


async def perform(action: Provide, step: Step) -> Outcome:
    """Call it with what is stored before the call, so that a second call is the same call.

    A run that is recovered in the middle calls again with the stored config and artifacts and the
    same idempotency key; where the type is not safe to call twice, the step fails.
    """
    kind = step.walk.parts.catalog.action(action.action)
    if kind is None:
        return Failed(f"unknown action '{action.action}'")
    frame = step.open(lambda seq, at: LeafFrame(seq=seq, began_at=at))
    if frame.sleep is not None:
        if step.woken(frame) is None:
            return Suspended()
    elif frame.attempt and not kind.retry_safe:
        return Failed("interrupted: the worker died during the call, and calling twice is not safe")
    try:
        if not frame.attempt:
            frame.config = fill_config(action.config, kind, step.context())
        config = _converted(kind, frame.config or {})
    except (RenderError, msgspec.ValidationError) as error:
        return Failed(str(error))
    if not frame.attempt:
        frame.consumed = await _consumed(kind, step)
    frame.attempt += 1
    step.row.attempts = frame.attempt
    step.walk.journal.step(step.row)
    await step.walk.checkpoint()
    result = await _call(action, kind, _context(kind, config, frame, step), step.walk.parts.clock)
    if result.success:
        return _keep(kind, result, step)
    return _failed(action, result, frame, step)


def _failed(action: Provide, result: ActionResult, frame: LeafFrame, step: Step) -> Outcome:
    """Try again later, as data, while the policy allows it."""
    error = result.error or "the action failed and gave no reason"
    frame.failures += 1
    retry = action.retry
    if frame.failures >= retry.attempts:
        return Failed(error)
    seconds = _backoff_seconds(retry, frame.failures)
    if result.retry_after_ms is not None:
        seconds = min(max(0.0, result.retry_after_ms / 1000), LONGEST_RETRY_SECONDS)
    due_at = step.now + timedelta(seconds=seconds)
    text = f"retry {frame.failures + 1} of {retry.attempts} at {iso(due_at)}"
    return step.sleep("retry", text, due_at, error=error)


def _backoff_seconds(retry: Retry, failures: int) -> float:
    """Give a time at random below the backoff: retries of many runs must not come together.

    Source: "full jitter" of the AWS Architecture Blog, Exponential Backoff And Jitter.
    """
    backoff: float = retry.delay_seconds
    if retry.backoff == "exponential":
        backoff *= 2.0 ** min(failures - 1, 64)
    return random.uniform(0, min(backoff, retry.max_delay_seconds))  # noqa: S311 - spreads


def _converted(kind: ActionType, config: JsonObject) -> object:
    """Give the config as the type wants it.

    Raises:
        ValidationError: It is not of the type's shape; the message names the field.
    """
    if kind.config_type is not None:
        try:
            return msgspec.convert(config, kind.config_type, strict=False)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"config: {error}") from None
    for fault in kind.config_schema.faults(config):
        place = ".".join(["config", *(str(part) for part in fault.path)])
        raise msgspec.ValidationError(f"{place}: {fault.message}")
    return config


async def _consumed(kind: ActionType, step: Step) -> dict[str, Json]:
    """Find what the type consumes, by local name; what is missing is absent."""
    if not kind.consumes:
        return {}
    walk = step.walk
    await walk.checkpoint()  # what this run has produced counts too
    run = walk.run
    found = await walk.parts.history.consumable(run.automation_id, run.context_key, kind.consumes)
    return {_local(name): data for name, data in found.items()}


def _local(qualified_id: str) -> str:
    return qualified_id.partition(".")[2]


async def _call(
    action: Provide, kind: ActionType, context: ActionContext, clock: Clock
) -> ActionResult:
    """Call it within its time; whatever it raises is a failure of the step."""
    seconds = action.timeout_seconds or kind.timeout_seconds
    try:
        async with clock.limit(seconds):
            result = await kind.execute(context)
    except TimeoutError:
        return ActionResult(success=False, error=f"no result within {seconds:g} s")
    except Exception as error:
        context.logger.warning("action.failed", exc_info=True)
        text = str(error) or "no message"
        return ActionResult(success=False, error=f"{type(error).__name__}: {text}")
    if not isinstance(result, ActionResult):
        given = type(result).__name__
        return ActionResult(success=False, error=f"the action gave {given}, not an ActionResult")
    return result


def _context(kind: ActionType, config: object, frame: LeafFrame, step: Step) -> ActionContext:
    run = step.walk.run
    consumed: Mapping[str, Json] = frame.consumed or {}
    return ActionContext(
        config=config,
        consumed_artifacts=consumed,
        scope=step.context(),
        run_id=str(run.id),
        automation_id=run.automation_id,
        context_key=run.context_key,
        step_path=step.path,
        attempt=frame.attempt,
        idempotency_key=f"{run.id}:{step.path}",
        logger=step.walk.log.bind(path=step.path, action=kind.qualified_id),
        services=step.walk.parts.services,
    )


def _keep(kind: ActionType, result: ActionResult, step: Step) -> Outcome:
    """Check the artifact against its type, note it, and let the scope have it."""
    artifact: JsonObject | None = None
    if kind.produces is not None and result.artifact is not None:
        artifact = result.artifact
        faults = kind.produces.schema.faults(artifact)
        if faults:
            place = ".".join(str(part) for part in faults[0].path)
            return Failed(
                f"artifact {kind.produces.qualified_id}: {place} {faults[0].message}".strip()
            )
        action_id = step.node.id or step.path
        try:
            if step.node.id:
                step.place.scope.produce(step.node.id, kind.produces.local_name, artifact)
        except ScopeTooLarge as error:
            return Failed(str(error))
        row = ArtifactRow(uuid7(), action_id, kind.produces.qualified_id, artifact)
        step.walk.journal.artifacts.append(row)
    kept = {"artifact": artifact, "external_id": result.external_id}
    step.row.result = {name: value for name, value in kept.items() if value is not None} or None
    return Ok()
