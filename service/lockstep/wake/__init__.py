"""Wake: what sleeps goes on, at its time or by an event, once."""

from lockstep.wake.bus_alarms import BusAlarms
from lockstep.wake.correlate import Correlation, UnreadWait
from lockstep.wake.due import DueWaits
from lockstep.wake.expiry import Expiry
from lockstep.wake.kv_mirror import KvMirror
from lockstep.wake.late_results import late_results, unknown_steps
from lockstep.wake.steady import Steady
from lockstep.wake.timers import Timers, TimerService, TriggerTimers, WaitTimers

__all__ = [
    "BusAlarms",
    "Correlation",
    "DueWaits",
    "Expiry",
    "KvMirror",
    "Steady",
    "TimerService",
    "Timers",
    "TriggerTimers",
    "UnreadWait",
    "WaitTimers",
    "late_results",
    "unknown_steps",
]
