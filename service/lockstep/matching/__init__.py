"""Matching: which automations ask for an event."""

from lockstep.matching import holds, windows
from lockstep.matching.index import DefinitionLost, Index
from lockstep.matching.judge import judge, meets_conditions, warning
from lockstep.matching.judgements import Judgements

__all__ = [
    "DefinitionLost",
    "Index",
    "Judgements",
    "holds",
    "judge",
    "meets_conditions",
    "warning",
    "windows",
]
