"""Schedules: when `automation.cron`, `automation.interval` and `automation.template` fire.

Daylight saving is that of Debian's cron (cron(8)), with seconds as without: a time that does not
exist runs at the first moment after the gap, one that occurs twice runs once, and patterns whose
minute or hour begins with a star follow the time that really passes.
"""

from lockstep.schedule.configs import (
    KINDS,
    PREFIX,
    Cron,
    Edge,
    Fired,
    Interval,
    Schedule,
    schedule_of,
    with_tick,
)
from lockstep.schedule.faults import faults
from lockstep.schedule.pattern import MACROS
from lockstep.schedule.terms import PatternFault
from lockstep.schedule.ticks import MISSED, MOST, Ticks, first_due, next_tick, ticks

__all__ = [
    "KINDS",
    "MACROS",
    "MISSED",
    "MOST",
    "PREFIX",
    "Cron",
    "Edge",
    "Fired",
    "Interval",
    "PatternFault",
    "Schedule",
    "Ticks",
    "faults",
    "first_due",
    "next_tick",
    "schedule_of",
    "ticks",
    "with_tick",
]
