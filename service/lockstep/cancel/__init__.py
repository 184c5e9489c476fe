"""Cancel: runs are ended from outside, by an operator, a newer run, a parent or a deadline."""

from lockstep.cancel.terminate import Terminator

__all__ = ["Terminator"]
