"""The gate: whether a run may start."""

from lockstep.gate.admit import admit

__all__ = ["admit"]
