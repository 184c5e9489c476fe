"""The gate: whether a run may start."""

from lockstep.gate.admit import admit, gate_of

__all__ = ["admit", "gate_of"]
