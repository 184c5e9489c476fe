"""Automations: as they are stored, and as matching sees them."""

from collections.abc import Mapping

import msgspec

from lockstep.model.errors import EngineError
from lockstep.model.program import Program
from lockstep_schemas.base import Json


class DefinitionLost(EngineError):
    """The definition that a run is pinned to is not stored any more."""

    code = "automation.lost"
    category = "conflict"
    advice = "Start the run again: it takes the definition that is in force now."


class DefinitionUnreadable(EngineError):
    """A stored definition cannot be read or compiled by this replica; another one may."""

    code = "automation.unreadable"
    category = "conflict"
    advice = (
        "Update the engine to the version that has stored the definition, install the plug-in that "
        "is named, or change the automation; `lockstep parked list` has what waits for it."
    )


class AutomationElsewhere(EngineError):
    """The replica that was asked cannot compile the automation; asked again, another one may."""

    code = "automation.elsewhere"
    category = "busy"
    advice = (
        "Ask again: another replica may answer. If none can, install the plug-in that is named; "
        "`lockstep parked list` says which replicas lack what."
    )


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
