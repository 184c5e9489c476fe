"""`parallel`: all branches at the same time; it ends when all of them have ended."""

import asyncio

from lockstep.model.foreign import ForeignFault
from lockstep.model.program import Node, Parallel
from lockstep.model.runs import OwnerLost
from lockstep.walk.execution import Execution, GivenUp
from lockstep.walk.frames import BranchEnd, BranchFrame, ParallelFrame
from lockstep.walk.outcome import Completed, Failed, Ok, Outcome, Stopped, Suspended
from lockstep.walk.scope import Scope, ScopeTooLarge
from lockstep.walk.step import Step


async def perform(action: Parallel, step: Step) -> Outcome:
    """Walk the branches that have not ended yet, await all, and join in order of position.

    It is suspended when all that has not ended sleeps; until then a branch that is woken goes on
    beside its siblings.
    """
    frame = step.open(
        lambda seq, at: ParallelFrame(
            seq=seq, began_at=at, branches=[BranchFrame() for _ in action.branches]
        )
    )
    live = [index for index, branch in enumerate(frame.branches) if branch.done is None]
    team = Team(step.walk, len(live))
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    _branch(action.branches[index], frame.branches[index], step, index, team)
                )
                for index in live
            ]
    except BaseExceptionGroup as errors:
        # One of them is enough to say why: the run is lost to another owner, or not storable.
        lost, _ = errors.split(OwnerLost)
        raise (lost or errors).exceptions[0] from None
    if team.given_up:
        raise GivenUp
    if any(task.cancelled() for task in tasks):  # a group says nothing of it, and it was not ours
        raise ForeignFault(asyncio.CancelledError("something cancelled a branch from inside"))
    if any(branch.done is None for branch in frame.branches):
        return Suspended()
    return _join(frame, step)


class Team:
    """The branches that are walked now: how many are at work, and who sleeps beside them."""

    def __init__(self, walk: Execution, at_work: int) -> None:
        self._walk, self._at_work = walk, at_work
        self._asleep: set[asyncio.Event] = set()
        self.given_up = False

    def leave(self) -> None:
        """Note that a branch is at work no more; the last one lets all that sleep go."""
        self._at_work -= 1
        if not self._at_work:
            for event in self._asleep:
                event.set()

    async def woken(self, heard: int) -> bool:
        """Sleep beside the others; say whether something has fired since `heard`.

        If not, nobody is at work any more: the whole parallel is suspended.
        """
        event = asyncio.Event()
        self.leave()
        if self._at_work and self._walk.journal.waits:
            await self._walk.checkpoint()  # it can be woken while the others are at work
        self._asleep.add(event)
        self._walk.wake_events.add(event)
        try:
            while self._at_work and self._walk.heard == heard:
                event.clear()
                await event.wait()
        finally:
            self._asleep.discard(event)
            self._walk.wake_events.discard(event)
        if self._walk.heard == heard:
            return False
        self._at_work += 1
        return True


async def _branch(node: Node, frame: BranchFrame, step: Step, index: int, team: Team) -> None:
    """Walk one branch, as a list of one, until it has ended or the whole parallel sleeps."""
    scope = Scope(frame.changes, step.place.scope, "branch")
    while True:
        heard = step.walk.heard
        try:
            end = await step.inside((node,), frame.body, f".parallel[{index}]", scope)
        except GivenUp:
            team.given_up = True
            team.leave()
            return
        except asyncio.CancelledError:
            team.leave()  # the others may sleep until it is at work no more
            raise
        if not isinstance(end, Suspended):
            break
        if not await team.woken(heard):
            return
    frame.done, frame.reason = _done(end)
    step.walk.touch()
    team.leave()


def _done(end: Completed | Stopped) -> tuple[BranchEnd, str | None]:
    if isinstance(end, Completed) or end.guard:
        return "ok", None
    return ("failed" if end.error else "stopped"), end.reason


def _join(frame: ParallelFrame, step: Step) -> Outcome:
    """Merge what the branches changed, then judge: any failed, else any stop, else ok.

    Where the run fails by it, nothing is merged: nobody would see it, and a retry of the failed
    branches works on the scope as it was at the fork.
    """
    failure = next((branch for branch in frame.branches if branch.done == "failed"), None)
    if failure is not None and not step.tolerated:
        return Failed(failure.reason or "stopped")
    try:
        for branch in frame.branches:
            step.place.scope.merge(branch.changes)
    except ScopeTooLarge as error:
        return Failed(str(error))
    if failure is not None:
        return Failed(failure.reason or "stopped")
    for branch in frame.branches:
        if branch.done == "stopped":
            return Stopped(branch.reason)
    return Ok()
