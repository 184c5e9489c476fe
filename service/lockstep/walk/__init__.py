"""Walk: performs the actions of a run, from its frames."""

from lockstep.walk.frames import FramesUnreadable
from lockstep.walk.pool import Walkers
from lockstep.walk.revive import revive
from lockstep.walk.walk import Parts, Walk
from lockstep.walk.walker import walk_run

__all__ = ["FramesUnreadable", "Parts", "Walk", "Walkers", "revive", "walk_run"]
