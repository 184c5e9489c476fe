"""Launch: a run row for each that may."""

from lockstep.launch.create import create, state

__all__ = ["create", "state"]
