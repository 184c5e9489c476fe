"""Wake: runs that shall go on find a worker."""

from lockstep.wake.claims import Claims
from lockstep.wake.heart import Heart

__all__ = ["Claims", "Heart"]
