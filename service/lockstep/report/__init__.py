"""Report: committed events on their way to the bus."""

from lockstep.report.outbox import Reporter
from lockstep.report.trail import Trail

__all__ = ["Reporter", "Trail"]
