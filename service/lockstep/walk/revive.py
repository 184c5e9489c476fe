"""Retries: what a run begins with that goes on where another one failed."""

from typing import assert_never
from uuid import UUID

from lockstep.model.matches import Revival
from lockstep.walk.frames import (
    FrameFormat,
    LeafFrame,
    ListedFrame,
    ListFrame,
    ParallelFrame,
    RepeatFrame,
)


def revive(run_id: UUID, document: bytes, frames: FrameFormat) -> Revival:
    """Open what a failed run stood at, so that the steps that failed are begun anew.

    Variables, artifacts, branches that were taken, iterations and branches of a parallel that have
    ended well are kept. A leaf begins anew, whether it failed or was under way when the run was
    ended from outside: it calls, sleeps or waits as at a first visit. A failed branch of a parallel
    is opened again where the run failed by it; one whose failure is tolerated stays as it is, which
    shows by its frames: they have moved on.

    Raises:
        FramesUnreadable: The document is damaged or of another format.
    """
    root = frames.decode(document)
    root.asleep, root.deadline = False, None
    reopened: list[int] = []
    dropped: list[int] = []
    _open(root.body, reopened, dropped)
    return Revival(of=run_id, document=frames.encode(root), reopened=reopened, dropped=dropped)


def _open(body: ListFrame, reopened: list[int], dropped: list[int]) -> None:
    inner = body.inner
    match inner:
        case None:
            return
        case LeafFrame():
            dropped.append(inner.seq)
            body.inner = None
            return
        case ListedFrame():
            _open(inner.body, reopened, dropped)
        case RepeatFrame():
            if inner.body is not None:
                _open(inner.body, reopened, dropped)
        case ParallelFrame():
            for branch in inner.branches:
                if branch.done == "failed" and branch.body.inner is not None:
                    branch.done = branch.reason = None
                if branch.done is None:
                    _open(branch.body, reopened, dropped)
        case _:
            assert_never(inner)
    reopened.append(inner.seq)
