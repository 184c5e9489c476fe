"""Probes: whether a replica lives, whether it is ready, and what it measures; over HTTP."""

from lockstep.probes.figures import Figures, Gauges
from lockstep.probes.health import Health, yes
from lockstep.probes.meter import Measures
from lockstep.probes.server import Probes, opened

__all__ = ["Figures", "Gauges", "Health", "Measures", "Probes", "opened", "yes"]
