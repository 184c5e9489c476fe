"""`sequence`: a list of actions as one action."""

from lockstep.model.program import Sequential
from lockstep.walk.frames import ListedFrame
from lockstep.walk.outcome import Outcome, of_list
from lockstep.walk.step import Step


async def perform(action: Sequential, step: Step) -> Outcome:
    """Walk the list in the surrounding scope."""
    frame = step.open(lambda seq, at: ListedFrame(seq=seq, began_at=at))
    return of_list(await step.inside(action.sequence, frame.body, ".sequence"))
