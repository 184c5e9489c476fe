"""The gate: whether a run may start."""

from lockstep.gate.admit import admit, queue_key_of

__all__ = ["admit", "queue_key_of"]
