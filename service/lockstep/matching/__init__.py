"""Matching: which automations ask for an event."""

from lockstep.matching import holds, windows
from lockstep.matching.hits import judge, matches, meets_conditions, warning
from lockstep.matching.index import DefinitionLost, Index

__all__ = [
    "DefinitionLost",
    "Index",
    "holds",
    "judge",
    "matches",
    "meets_conditions",
    "warning",
    "windows",
]
