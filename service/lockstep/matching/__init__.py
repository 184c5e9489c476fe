"""Matching: which automations ask for an event."""

from lockstep.matching import holds, windows
from lockstep.matching.index import Index
from lockstep.matching.judge import judge, meets_conditions, warning
from lockstep.matching.judgements import Judgements, unread

__all__ = [
    "Index",
    "Judgements",
    "holds",
    "judge",
    "meets_conditions",
    "unread",
    "warning",
    "windows",
]
