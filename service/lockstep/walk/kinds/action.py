"""A provider action: render its config, call it, keep what it produced."""

import random
from datetime import timedelta
from typing import Final, assert_never

import msgspec

from lockstep.model.errors import RenderError
from lockstep.model.ids import uuid7
from lockstep.model.program import Provide
from lockstep.model.run_events import iso
from lockstep.model.runs import ArtifactRow
from lockstep.model.secrets import SecretRefused
from lockstep.model.texts import path_text, said
from lockstep.model.types import ActionResult, ActionType
from lockstep.model.waits import WaitRow
from lockstep.walk.bounds import KEY_BYTES, ValueTooLarge, encoded, encoded_parts
from lockstep.walk.call import brought_up, call, consume, converted, follow_up, resolved
from lockstep.walk.fill import fill_config
from lockstep.walk.frames import LeafFrame
from lockstep.walk.outcome import Failed, Ok, Outcome, Suspended
from lockstep.walk.scope import ScopeTooLarge
from lockstep.walk.step import Step
from lockstep_schemas.actions import Retry
from lockstep_schemas.base import JsonObject

LONGEST_RETRY_SECONDS: Final = 30 * 86_400.0  # whatever a service asks for: as the longest delay
DOUBLINGS: Final = 64  # far past every `max_delay_seconds`, and no float overflows by it


async def perform(action: Provide, step: Step) -> Outcome:
    """Call it with what is stored before the call, so that a second call is the same call.

    A run that is recovered in the middle calls again with the stored config and artifacts and the
    same idempotency key; where the type is not safe to call twice, the step fails. What a call left
    open ends by its follow-up, whenever and wherever that comes.
    """
    kind = step.walk.parts.catalog.action(action.action) or await _refreshed(action, step)
    if kind is None:
        return Failed(f"unknown action '{action.action}'")
    frame = step.open(lambda seq, at: LeafFrame(seq=seq, began_at=at))
    came: ActionResult | None = None
    if frame.sleep is not None:
        is_follow_up = frame.sleep.wait_id == frame.follow_up
        fired = step.woken(frame)
        if fired is None:
            return Suspended()
        if is_follow_up:
            await _recall_secrets(kind, frame, step)
            came = follow_up(fired, _seconds(action, kind))
    elif frame.attempt:  # the worker died in the call
        came = _came(action, kind, frame, step)
        if came is None and not kind.retry_safe:
            return Failed(
                "interrupted: the worker died during the call, and calling twice is not safe"
            )
    if came is None:
        outcome = await _perform(action, kind, frame, step)
        if not isinstance(outcome, ActionResult):
            return outcome
        came = outcome
    if frame.follow_up is not None:
        step.walk.journal.over.append(frame.follow_up)
        frame.follow_up = None
    if not came.success:
        return _failed(action, came, frame, step)
    if kind.produces is None and came.artifact is not None:
        step.note("result", came.artifact)
    return _keep(kind, came, frame, step)


async def _perform(
    action: Provide, kind: ActionType, frame: LeafFrame, step: Step
) -> ActionResult | Outcome:
    """Make one attempt: store what it is called with, and call."""
    walk = step.walk
    try:
        if not frame.attempt:
            _render(action, kind, frame, step)
            await consume(kind, frame, step)
        config = frame.config or {}
        if kind.secret_paths:
            config = await resolved(kind, config, step)
        typed = converted(kind, config)
    except (RenderError, msgspec.ValidationError, ValueTooLarge) as error:
        return Failed(str(error))
    except SecretRefused as error:
        _count_attempt(frame, step)
        return ActionResult(success=False, error=str(error))
    _count_attempt(frame, step)
    seconds = _seconds(action, kind)
    wait = _follow_up(action, kind, frame, seconds, step)
    await walk.checkpoint()
    result = await call(kind, typed, seconds, frame, step)
    if not (result.accepted or result.success):
        # The answer was lost, or came too late; the result may have come all the same.
        return _came(action, kind, frame, step) or result
    if not result.accepted:
        return result
    if wait is None:
        return ActionResult(
            success=False, error=f"'{kind.qualified_id}' answered that it goes on, which it may not"
        )
    return step.rest(msgspec.structs.replace(wait, is_shown=True))


def _render(action: Provide, kind: ActionType, frame: LeafFrame, step: Step) -> None:
    """Render the config, once for all attempts.

    Raises:
        RenderError: A template of it failed, or it cannot be brought up to date.
        ValueTooLarge: It is larger than a value may be.
    """
    filled: JsonObject = {}
    try:
        fill_config(action.config, kind, step.context(), filled)
        stored = step.walk.program.config_versions.get(kind.qualified_id, 1)
        frame.config = brought_up(filled, kind, stored)
        config = encoded_parts("config", frame.config)
    except (RenderError, ValueTooLarge):
        step.note("config", filled, has_failed=True)  # as far as it came
        raise
    if filled:
        step.note_written("config", config)


def _count_attempt(frame: LeafFrame, step: Step) -> None:
    frame.attempt += 1
    step.row.attempts = frame.attempt
    step.walk.journal.step(step.row)


async def _refreshed(action: Provide, step: Step) -> ActionType | None:
    """Look for a type that may have been registered at another replica a moment ago."""
    parts = step.walk.parts
    if parts.refresh_types is not None:
        await parts.patience.with_store(parts.refresh_types)
    return parts.catalog.action(action.action)


async def _recall_secrets(kind: ActionType, frame: LeafFrame, step: Step) -> None:
    """Let this replica know what the provider may echo: another one may have called."""
    try:
        await resolved(kind, frame.config or {}, step)
    except SecretRefused as error:
        step.walk.log.warning("secret.refused", path=step.path, error=error)


def _seconds(action: Provide, kind: ActionType) -> float:
    return action.timeout_seconds or kind.timeout_seconds


def _follow_up(
    action: Provide, kind: ActionType, frame: LeafFrame, seconds: float, step: Step
) -> WaitRow | None:
    """Arm the wait for the result that this call may leave open.

    An event has the time of the step for it; another run ends when it ends, unless the step says.
    """
    if kind.follow_up is None:
        return None
    if frame.follow_up is not None:  # of the call that died with its worker
        step.walk.journal.over.append(frame.follow_up)
    frame.follow_up = uuid7()
    match kind.follow_up:
        case "remote":
            is_limited = True
        case "child":
            is_limited = action.timeout_seconds is not None
        case _:
            assert_never(kind.follow_up)
    due_at = step.now + timedelta(seconds=seconds) if is_limited else None
    text = f"result of {kind.qualified_id}" + (f" until {iso(due_at)}" if due_at else "")
    wait = WaitRow(
        id=frame.follow_up,
        kind=kind.follow_up,
        path=step.path,
        waiting_for=text,
        armed_at=step.now,
        due_at=due_at,
        is_shown=False,  # most calls are answered before anybody could look
    )
    step.walk.journal.waits.append(wait)
    return wait


def _came(action: Provide, kind: ActionType, frame: LeafFrame, step: Step) -> ActionResult | None:
    """Give the result that came by an event, not by the answer; None if there is none."""
    fired = step.taken(frame.follow_up) if frame.follow_up is not None else None
    if fired is None or fired.cause != "event":
        return None
    return follow_up(fired, _seconds(action, kind))


def _failed(action: Provide, result: ActionResult, frame: LeafFrame, step: Step) -> Outcome:
    """Try again later, as data, while the policy allows it."""
    error = result.error or "the action failed and gave no reason"
    frame.failures += 1
    retry = action.retry
    if not step.kept and frame.config:  # there was no room for what may go well
        step.note("config", frame.config, has_failed=True)
    if retry.attempts > 1:
        step.note("error", error, {"attempt": frame.attempt}, has_failed=True)
    if frame.failures >= retry.attempts:
        return Failed(error)
    seconds = _asked_seconds(result, step)
    if seconds is None:
        seconds = _backoff_seconds(retry, frame.failures)
    due_at = step.now + timedelta(seconds=seconds)
    text = f"retry {frame.failures + 1} of {retry.attempts} at {iso(due_at)}"
    return step.sleep("retry", text, due_at, error=error)


def _asked_seconds(result: ActionResult, step: Step) -> float | None:
    """Give when the action asks to be called again; None if it does not, or in no number."""
    asked: object = result.retry_after_ms
    if asked is None:
        return None
    # By the type itself: an object of a plug-in may claim anything of its class.
    if type(asked) not in (int, float) or asked != asked:
        # The error is the action's own: what it says of a retry must not replace it.
        step.walk.log.warning("retry.refused", path=step.path, retry_after_ms=said(asked))
        return None
    return min(max(0, result.retry_after_ms or 0), LONGEST_RETRY_SECONDS * 1000) / 1000


def _backoff_seconds(retry: Retry, failures: int) -> float:
    """Give a time at random below the backoff: retries of many runs must not come together.

    Source: "full jitter" of the AWS Architecture Blog, Exponential Backoff And Jitter.
    """
    backoff: float = retry.delay_seconds
    if retry.backoff == "exponential":
        backoff *= 2.0 ** min(failures - 1, DOUBLINGS)
    return random.uniform(0, min(backoff, retry.max_delay_seconds))  # noqa: S311 - spreads


def _keep(kind: ActionType, result: ActionResult, frame: LeafFrame, step: Step) -> Outcome:
    """Check the artifact against its type, note it, and let the scope have it."""
    artifact: JsonObject | None = None
    if result.external_id is not None:
        try:
            encoded("external_id", result.external_id, KEY_BYTES)
        except ValueTooLarge as error:
            return Failed(str(error))
    if kind.produces is not None and result.artifact is not None:
        artifact = result.artifact
        faults = kind.produces.schema.faults(artifact)
        if faults:
            place = path_text(faults[0].path)
            return Failed(
                f"artifact {kind.produces.qualified_id}: {place} {faults[0].message}".strip()
            )
        action_id = step.node.id or step.path
        try:
            data = encoded(f"artifact {kind.produces.qualified_id}", artifact)
            artifact = msgspec.json.decode(data)  # the action may go on with its own
            if step.node.id:
                step.place.scope.produce(step.node.id, kind.produces.local_name, artifact)
        except (ValueTooLarge, ScopeTooLarge) as error:
            return Failed(str(error))
        row = ArtifactRow(uuid7(), action_id, kind.produces.qualified_id, data)
        step.walk.journal.artifacts.append(row)
    step.walk.journal.closed += frame.closes or ()
    kept = {"artifact": artifact, "external_id": result.external_id}
    step.row.result = {name: value for name, value in kept.items() if value is not None} or None
    return Ok()
