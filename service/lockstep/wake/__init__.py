"""Wake: runs that shall go on find a worker, and those that shall not are ended."""

from lockstep.wake.alarms import Alarms
from lockstep.wake.bells import Bells
from lockstep.wake.calls import Calls
from lockstep.wake.claims import Claims
from lockstep.wake.endings import Endings
from lockstep.wake.heart import Heart
from lockstep.wake.mirror import Mirror, sleeper
from lockstep.wake.satisfy import satisfied

__all__ = [
    "Alarms",
    "Bells",
    "Calls",
    "Claims",
    "Endings",
    "Heart",
    "Mirror",
    "satisfied",
    "sleeper",
]
