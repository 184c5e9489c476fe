"""Matching: which automations ask for an event."""

from lockstep.matching import holds, windows
from lockstep.matching.index import DefinitionLost, Index
from lockstep.matching.judge import candidates, judge, meets_conditions, warning

__all__ = [
    "DefinitionLost",
    "Index",
    "candidates",
    "holds",
    "judge",
    "meets_conditions",
    "warning",
    "windows",
]
