"""Pipeline: the ways to a run, side by side. All of them end in `commit`.

`events` is the way of an event; `by_hand`, `timers`, `child_runs` and `setups` are the others.
"""

from lockstep.pipeline.by_hand import ByHand
from lockstep.pipeline.child_runs import ChildRunNews, ChildRuns
from lockstep.pipeline.events import EventPipeline
from lockstep.pipeline.held_looks import HeldLooks, HoldTimes
from lockstep.pipeline.hold_upkeep import HoldUpkeep
from lockstep.pipeline.look_back import LookBacks
from lockstep.pipeline.look_back_news import LookBackNews
from lockstep.pipeline.pace import JudgingPace
from lockstep.pipeline.parked_events import ParkedEvents
from lockstep.pipeline.parts import PipelineParts
from lockstep.pipeline.setups import TriggerSetups
from lockstep.pipeline.timers import TriggerTimersDue

__all__ = [
    "ByHand",
    "ChildRunNews",
    "ChildRuns",
    "EventPipeline",
    "HeldLooks",
    "HoldTimes",
    "HoldUpkeep",
    "JudgingPace",
    "LookBackNews",
    "LookBacks",
    "ParkedEvents",
    "PipelineParts",
    "TriggerSetups",
    "TriggerTimersDue",
]
