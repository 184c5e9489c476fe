"""`stop`: end the run."""

from lockstep.model.errors import RenderError
from lockstep.model.program import Stop
from lockstep.walk.outcome import Failed, Outcome, Stopped
from lockstep.walk.step import Step


def perform(action: Stop, step: Step) -> Outcome:
    """End the list and all lists around it; as an error where it says so."""
    try:
        reason = action.reason.render(step.context()) if action.reason else None
    except RenderError as error:
        return Failed(f"stop.reason: {error}")
    if reason:
        step.note("config", {"reason": reason})
    return Stopped(reason or ("stopped" if action.error else None), error=action.error)
