"""Automations: as they are stored, and as matching sees them."""

from collections.abc import Mapping

import msgspec

from lockstep.model.program import Program
from lockstep_schemas.base import Json


class Automation(msgspec.Struct, frozen=True, kw_only=True):
    """An enabled automation as matching sees it."""

    id: str
    name: str
    version: int
    position: int
    program: Program


class StoredDefinition(msgspec.Struct, frozen=True):
    """A definition, and of which version the configs of its actions are, where that is not 1."""

    definition: Json
    config_versions: Mapping[str, int]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What matching needs to know of an automation to see whether it has changed."""

    id: str
    name: str
    enabled: bool
    version: int
    position: int
