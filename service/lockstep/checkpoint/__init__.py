"""Checkpoint: what walks have done, committed in groups."""

from lockstep.checkpoint.committer import Committer

__all__ = ["Committer"]
