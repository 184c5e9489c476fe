"""Definition: reading, judging and compiling what automations say."""

from lockstep.definition.compile import compile_program, derived_ids
from lockstep.definition.explain import explained
from lockstep.definition.missing import missing
from lockstep.definition.source import Source, SourceError, read, read_all
from lockstep.definition.tree import looked_back
from lockstep.definition.validate import (
    Checked,
    DefinitionRefused,
    check_source,
    config_versions,
    outdated,
    parse,
    validate,
)

__all__ = [
    "Checked",
    "DefinitionRefused",
    "Source",
    "SourceError",
    "check_source",
    "compile_program",
    "config_versions",
    "derived_ids",
    "explained",
    "looked_back",
    "missing",
    "outdated",
    "parse",
    "read",
    "read_all",
    "validate",
]
