"""`choose`: the first branch that holds, else `else`, else nothing."""

from typing import Final

from lockstep.model.errors import RenderError
from lockstep.model.program import Choose
from lockstep.walk.frames import ListedFrame
from lockstep.walk.outcome import Failed, Ok, Outcome, of_list
from lockstep.walk.step import Step

ELSE: Final = -1  # no index of a branch


async def perform(action: Choose, step: Step) -> Outcome:
    """Judge the branches at the first visit only: the one that was taken stays taken."""
    if step.frame is None:
        try:
            taken = _taken(action, step)
        except RenderError as error:
            return Failed(str(error))
        _note(action, taken, step)
        step.open(lambda seq, at: ListedFrame(seq=seq, began_at=at, branch=taken))
    frame = step.open(lambda seq, at: ListedFrame(seq=seq, began_at=at))
    if frame.branch == ELSE:
        if not action.otherwise:
            return Ok()
        return of_list(await step.inside(action.otherwise, frame.body, ".else"))
    sequence = action.branches[frame.branch].sequence
    path = f".choose[{frame.branch}].sequence"
    return of_list(await step.inside(sequence, frame.body, path))


def _note(action: Choose, taken: int, step: Step) -> None:
    """Note why the branches before the one that was taken were not, and why that one was."""
    judged = action.branches[: taken + 1] if taken != ELSE else action.branches
    for index, branch in enumerate(judged):
        step.note_judged(f"choose[{index}].when", branch.when, step.now, holds=index == taken)


def _taken(action: Choose, step: Step) -> int:
    context = step.context()
    for index, branch in enumerate(action.branches):
        try:
            if branch.when.holds(context, step.now):
                return index
        except RenderError as error:
            raise RenderError(f"choose[{index}].when: {error}") from error
    return ELSE
