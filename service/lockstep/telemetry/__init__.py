"""Telemetry: whether a replica lives and is ready, what it measures, its logs and its traces."""

from lockstep.telemetry.health import Health
from lockstep.telemetry.listeners import Measured, Traced
from lockstep.telemetry.loop_watch import LoopWatch
from lockstep.telemetry.meter import Measures
from lockstep.telemetry.metrics import Gauges, Metrics
from lockstep.telemetry.probe_server import Probes, opened

__all__ = [
    "Gauges",
    "Health",
    "LoopWatch",
    "Measured",
    "Measures",
    "Metrics",
    "Probes",
    "Traced",
    "opened",
]
