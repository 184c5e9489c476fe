"""Walk: performs the actions of a run, from its frames."""

from lockstep.walk.pool import Walkers
from lockstep.walk.walk import Parts, Walk
from lockstep.walk.walker import walk_run

__all__ = ["Parts", "Walk", "Walkers", "walk_run"]
