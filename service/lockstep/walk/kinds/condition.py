"""`condition`: go on only if it holds."""

from typing import Final

from lockstep.model.errors import RenderError
from lockstep.model.program import Guard
from lockstep.walk.outcome import Failed, Ok, Outcome, Skipped, Stopped
from lockstep.walk.step import Step

REFUSED: Final = "condition gate failed"


def perform(action: Guard, step: Step) -> Outcome:
    """End the run as success where it does not hold, or only the branch of a parallel."""
    now = step.now
    try:
        holds = action.condition.holds(step.context(), now)
    except RenderError as error:
        return Failed(str(error))
    step.note_judged("condition", action.condition, now, holds=holds)
    if holds:
        return Ok()
    return Skipped(REFUSED) if action.continue_on_error else Stopped(REFUSED, guard=True)
