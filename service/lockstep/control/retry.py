"""The endpoint `runs.retry`: a run once more, from its start or from where it failed."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec
import structlog

from lockstep.control.errors import Refusal, not_found
from lockstep.model.matches import Birth, Hit, Past, Revival
from lockstep.model.program import TriggerRule
from lockstep.model.runs import Automation
from lockstep.walk import FramesUnreadable, revive
from lockstep_schemas.api import RunRetried, RunRetry
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE

log = structlog.get_logger()

Retry = Callable[[UUID, Callable[[Past | None, Automation | None], Hit]], Awaitable[list[Birth]]]


class RetryEndpoint:
    """Starts runs of the same version and event; the mode that is in force is honoured."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    async def retry(self, request: RunRetry, actor: Actor | None) -> RunRetried:
        """Start the new run; a refusal by the mode is a run too.

        It has the actor of the first run, because expressions see who caused the event; who asked
        for the retry is in the log.
        """
        try:
            run_id = UUID(request.id)
        except ValueError:
            raise not_found("run", request.id) from None

        def hit(past: Past | None, automation: Automation | None) -> Hit:
            if past is None:
                raise not_found("run", request.id)
            _check(past)
            return _hit(past, automation, _revival(past) if request.from_ == "failed" else None)

        births = await self._retry(run_id, hit)
        if not births:
            raise Refusal(
                "conflict", f"the automation of run {run_id} was disabled or deleted meanwhile"
            )
        (birth,) = births
        log.info(
            "run.retried",
            run_id=str(birth.id),
            automation_id=birth.hit.automation.id,
            retry_of=str(run_id),
            begins=request.from_,
            actor=None if actor is None else msgspec.to_builtins(actor),
        )
        return RunRetried(str(birth.id))


def _hit(past: Past, automation: Automation | None, revival: Revival | None) -> Hit:
    """Give what is started: the version of the run, under the mode that is in force."""
    if automation is None:
        why = "cannot be read by this engine; update it, then retry"
        if past.automation_status == "disabled":
            why = "is disabled; enable it, then retry"
        raise Refusal("conflict", f"automation '{past.automation_id}' {why}")
    trigger = TriggerRule(id=past.trigger_id, event=past.event.id, filter=None, config={})
    pinned = msgspec.structs.replace(automation, version=past.version)
    return Hit(past.event, pinned, trigger, revival)


def _check(past: Past) -> None:
    """Refuse what cannot be retried at all."""
    if past.status in ACTIVE:
        raise Refusal(
            "conflict",
            f"run {past.id} is {past.status}; wait for its end or cancel it, then retry",
        )
    if past.automation_status is None:
        raise not_found("automation", past.automation_id)


def _revival(past: Past) -> Revival:
    """Give what it stood at when it failed."""
    other = "retry it with `from: start`"
    if past.status != "failed":
        raise Refusal("conflict", f"run {past.id} has ended as {past.status}, not failed; {other}")
    if past.document is None:
        raise Refusal("conflict", f"what run {past.id} stood at was not kept; {other}")
    try:
        return revive(past.id, past.document)
    except FramesUnreadable as error:
        raise Refusal("conflict", f"{error}; {other}") from None
