"""Walk: performs the actions of a run, from its frames."""

from lockstep.walk.execution import Execution, WalkParts
from lockstep.walk.frames import FrameFormat, FramesUnreadable
from lockstep.walk.interpreter import walk_run
from lockstep.walk.places import Places
from lockstep.walk.pool import WalkPool
from lockstep.walk.revive import revive

__all__ = [
    "Execution",
    "FrameFormat",
    "FramesUnreadable",
    "Places",
    "WalkParts",
    "WalkPool",
    "revive",
    "walk_run",
]
