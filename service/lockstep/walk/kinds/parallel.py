"""`parallel`: all branches at the same time; it ends when all of them have ended."""

import asyncio

from lockstep.model.program import Node, Parallel
from lockstep.model.runs import OwnerLost
from lockstep.walk.frames import BranchEnd, BranchFrame, ParallelFrame
from lockstep.walk.outcome import Completed, Failed, ListEnd, Ok, Outcome, Stopped
from lockstep.walk.scope import Scope, ScopeTooLarge
from lockstep.walk.step import Step
from lockstep.walk.walk import GivenUp


async def perform(action: Parallel, step: Step) -> Outcome:
    """Walk the branches that have not ended yet, await all, and join in order of position."""
    frame = step.open(
        lambda seq, at: ParallelFrame(
            seq=seq, began_at=at, branches=[BranchFrame() for _ in action.branches]
        )
    )
    given_up = False
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_branch(node, frame.branches[index], step, index))
                for index, node in enumerate(action.branches)
                if frame.branches[index].done is None
            ]
        given_up = any(not task.result() for task in tasks)
    except BaseExceptionGroup as errors:
        # One of them is enough to say why: the run is lost to another owner, or not storable.
        lost, _ = errors.split(OwnerLost)
        raise (lost or errors).exceptions[0] from None
    if given_up:
        raise GivenUp
    return _join(frame, step)


async def _branch(node: Node, frame: BranchFrame, step: Step, index: int) -> bool:
    """Walk one branch, as a list of one; say whether it has ended, or was given up."""
    scope = Scope(frame.changes, step.place.scope, "branch")
    try:
        end = await step.inside((node,), frame.body, f".parallel[{index}]", scope)
    except GivenUp:
        return False
    frame.done, frame.reason = _done(end)
    frame.body.inner = None
    step.walk.touch()
    return True


def _done(end: ListEnd) -> tuple[BranchEnd, str | None]:
    if isinstance(end, Completed) or end.gate:
        return "ok", None
    return ("failed" if end.error else "stopped"), end.reason


def _join(frame: ParallelFrame, step: Step) -> Outcome:
    """Merge what the branches changed, then judge: any failed, else any stop, else ok."""
    try:
        for branch in frame.branches:
            step.place.scope.merge(branch.changes)
    except ScopeTooLarge as error:
        return Failed(str(error))
    for branch in frame.branches:
        if branch.done == "failed":
            return Failed(branch.reason or "stopped")
    for branch in frame.branches:
        if branch.done == "stopped":
            return Stopped(branch.reason)
    return Ok()
