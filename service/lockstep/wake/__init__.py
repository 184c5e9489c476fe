"""Wake: runs that shall go on find a worker, and those that shall not are ended."""

from lockstep.wake.alarms import Alarms
from lockstep.wake.bells import Bells
from lockstep.wake.calls import Calls
from lockstep.wake.claims import Claims
from lockstep.wake.due import DueWaits
from lockstep.wake.endings import Endings
from lockstep.wake.heart import Heart
from lockstep.wake.mirror import Mirror, holding, sleeper
from lockstep.wake.results import results, strangers
from lockstep.wake.satisfy import satisfied

__all__ = [
    "Alarms",
    "Bells",
    "Calls",
    "Claims",
    "DueWaits",
    "Endings",
    "Heart",
    "Mirror",
    "holding",
    "results",
    "satisfied",
    "sleeper",
    "strangers",
]
