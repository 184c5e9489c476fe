"""The walk: all control flow of the language in one place, none in the kinds.

A run is walked from its root along its frames; resuming is the same walk, which finds frames where
a first visit finds none.
"""

from collections.abc import Sequence
from typing import assert_never

from lockstep.model.errors import DataRefused
from lockstep.model.foreign import reason_of
from lockstep.model.program import Node
from lockstep.model.runs import OwnerLost
from lockstep.walk.execution import Execution, GivenUp
from lockstep.walk.frames import LeafFrame, ListedFrame, ListFrame, ParallelFrame, RepeatFrame
from lockstep.walk.kinds import dispatch
from lockstep.walk.outcome import (
    Completed,
    Failed,
    Finished,
    ListEnd,
    Ok,
    Outcome,
    Skipped,
    Stopped,
    Suspended,
)
from lockstep.walk.scope import Scope
from lockstep.walk.step import Place, Step


async def walk_run(walk: Execution) -> None:
    """Walk a run to its end, or until it is given up, or until it has another owner."""
    try:
        try:
            end = await _walk_awake(walk)
        except GivenUp:
            await walk.give_up()
            return
        except DataRefused as error:
            walk.is_sound = False
            end = Stopped(str(error), error=True)
        if not isinstance(end, Suspended):
            await _end(walk, end)
    except OwnerLost as error:
        walk.log.info("run.lost", epoch=error.epoch)


async def _walk_awake(walk: Execution) -> ListEnd:
    """Walk from the root, again and again, until the run ends or is stored asleep."""
    root = walk.root
    place = Place("actions", Scope(root.names, None, "run"))
    while True:
        heard = walk.heard
        end = await walk_list(walk, walk.program.actions, root.body, place)
        if not isinstance(end, Suspended):
            return end
        # What was heard since then, some branch may have missed: it is walked before all sleeps.
        if walk.heard == heard and await walk.suspend():
            return end


async def walk_list(
    walk: Execution, nodes: Sequence[Node], frame: ListFrame, place: Place
) -> ListEnd:
    """Walk a list from where its frame stands: to its end, or to a stop."""
    while frame.index < len(nodes):
        if walk.giving_up:
            raise GivenUp
        await walk.breathe()
        node = nodes[frame.index]
        step = Step(walk, node, frame, place, walk_list)
        outcome = await _visit(step)
        if isinstance(outcome, Suspended):
            return outcome
        # No await between the row that is finished and the frame that moves on: a checkpoint sees
        # both or none.
        end = _end_by(outcome, node)
        if end is not None and end.error and not place.tolerated:
            _stay(frame, step)
            return end
        frame.index, frame.inner = frame.index + 1, None
        if end is not None:
            return end
    return Completed()


def _stay(frame: ListFrame, step: Step) -> None:
    """Leave the frames where the run fails, for a retry: containers go on, a leaf begins anew."""
    match frame.inner:
        case None | LeafFrame():
            frame.inner = LeafFrame(seq=step.row.seq, began_at=step.row.started_at)
        case ListedFrame() | RepeatFrame() | ParallelFrame():
            pass
        case _:
            assert_never(frame.inner)


def _end_by(outcome: Finished, node: Node) -> Stopped | None:
    """Say how a list ends with the outcome of one of its actions; None if it goes on."""
    match outcome:
        case Stopped():
            return outcome
        case Failed(reason):
            return None if node.continue_on_error else Stopped(reason, error=True)
        case Ok() | Skipped():
            return None
        case _:
            assert_never(outcome)


async def _visit(step: Step) -> Outcome:
    outcome: Outcome
    if step.node.enabled:
        try:
            outcome = await dispatch.perform(step.node, step)
        except (OwnerLost, GivenUp, DataRefused):
            raise
        except Exception as error:
            step.walk.log.exception("step.failed", path=step.path)
            outcome = Failed(reason_of(error))
    else:
        outcome = Skipped("disabled")
    if not isinstance(outcome, Suspended):
        step.finish(outcome)
    return outcome


async def _end(walk: Execution, end: ListEnd) -> None:
    now = walk.parts.clock.now()
    duration_ms = max(0, round((now - walk.run.started_at).total_seconds() * 1000))
    reason = end.reason if isinstance(end, Stopped) else None
    if isinstance(end, Stopped) and end.error:
        walk.journal.event("failed", "failed", now, error=reason, duration_ms=duration_ms)
        await walk.end("failed", None, reason or "stopped")
    else:
        walk.journal.event("succeeded", "success", now, reason=reason, duration_ms=duration_ms)
        await walk.end("success", reason, None)
