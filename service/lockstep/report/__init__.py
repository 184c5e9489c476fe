"""Report: committed events on their way to the bus."""

from lockstep.report.decisions import DecisionLog
from lockstep.report.outbox import Reporter

__all__ = ["DecisionLog", "Reporter"]
