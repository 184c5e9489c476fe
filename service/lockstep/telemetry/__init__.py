"""Telemetry: whether a replica lives and is ready, what it measures, its logs and its traces.

What tells others is imported from its module, by who serves: `metrics`, `probe_server`, `traces`.
`lockstep test` tells nobody, and does without their packages.
"""

from lockstep.telemetry.health import Health
from lockstep.telemetry.listeners import Measured, Traced
from lockstep.telemetry.loop_watch import LoopWatch
from lockstep.telemetry.meter import Measures

__all__ = [
    "Health",
    "LoopWatch",
    "Measured",
    "Measures",
    "Traced",
]
