"""Matching: which automations ask for an event."""

from lockstep.matching.hits import Miss, hits, warning
from lockstep.matching.index import DefinitionLost, Index

__all__ = ["DefinitionLost", "Index", "Miss", "hits", "warning"]
