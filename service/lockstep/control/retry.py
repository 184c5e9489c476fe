"""The endpoint `runs.retry`: a run once more, from its start or from where it failed."""

from uuid import UUID

import msgspec
import structlog

from lockstep.control.errors import AutomationNotFound, NotRetriable, RunNotFound
from lockstep.model.automations import Automation
from lockstep.model.matches import Revival, TriggerMatch
from lockstep.model.new_runs import RunToRetry
from lockstep.model.program import TriggerRule
from lockstep.ports.pipeline import ByHand
from lockstep.walk import FrameFormat, FramesUnreadable, revive
from lockstep_schemas.api import RunRetried, RunRetry
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE

log = structlog.get_logger()


class RetryEndpoint:
    """Starts runs of the same version and event; the mode that is in force is honoured."""

    def __init__(self, by_hand: ByHand, frames: FrameFormat) -> None:
        self._by_hand, self._frames = by_hand, frames

    async def retry(self, request: RunRetry, actor: Actor | None) -> RunRetried:
        """Start the new run; a refusal by the mode is a run too.

        It has the actor of the first run, because expressions see who caused the event; who asked
        for the retry is in the log.
        """
        try:
            run_id = UUID(request.id)
        except ValueError:
            raise RunNotFound(request.id) from None

        def match(past: RunToRetry | None, automation: Automation | None) -> TriggerMatch:
            if past is None:
                raise RunNotFound(request.id)
            _check(past)
            revival = _revival(past, self._frames) if request.from_ == "failed" else None
            return _match(past, automation, revival)

        new_runs = await self._by_hand.retry(run_id, match)
        if not new_runs:
            raise NotRetriable(f"the automation of run {run_id} was disabled or deleted meanwhile")
        (new_run,) = new_runs
        log.info(
            "run.retried",
            run_id=str(new_run.id),
            automation_id=new_run.match.automation.id,
            retry_of=str(run_id),
            begins=request.from_,
            actor=None if actor is None else msgspec.to_builtins(actor),
        )
        return RunRetried(str(new_run.id))


def _match(
    past: RunToRetry, automation: Automation | None, revival: Revival | None
) -> TriggerMatch:
    """Give what is started: the version of the run, under the mode that is in force."""
    if automation is None:
        why = "cannot be read by this engine; update it, then retry"
        if past.automation_status == "disabled":
            why = "is disabled; enable it, then retry"
        raise NotRetriable(f"automation '{past.automation_id}' {why}")
    trigger = TriggerRule(id=past.trigger_id, event=past.event.id, filter=None, config={})
    pinned = msgspec.structs.replace(automation, version=past.version)
    return TriggerMatch(past.event, pinned, trigger, revival)


def _check(past: RunToRetry) -> None:
    """Refuse what cannot be retried at all."""
    if past.status in ACTIVE:
        raise NotRetriable(
            f"run {past.id} is {past.status}; wait for its end or cancel it, then retry",
        )
    if past.automation_status is None:
        raise AutomationNotFound(past.automation_id)


def _revival(past: RunToRetry, frames: FrameFormat) -> Revival:
    """Give what it stood at when it failed."""
    other = "retry it with `from: start`"
    if past.status != "failed":
        raise NotRetriable(f"run {past.id} has ended as {past.status}, not failed; {other}")
    if past.document is None:
        raise NotRetriable(f"what run {past.id} stood at was not kept; {other}")
    try:
        return revive(past.id, past.document, frames)
    except FramesUnreadable as error:
        raise NotRetriable(f"{error}; {other}") from None
