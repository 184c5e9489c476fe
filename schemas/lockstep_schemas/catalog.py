"""The control API: the catalog of types, and templates rendered for people."""

from typing import Literal

from msgspec import UNSET, UnsetType

from .base import Json, JsonObject, Struct


class CatalogList(Struct, frozen=True):
    """Request of `catalog.triggers`, `catalog.actions` and `catalog.artifact_types`.

    Where a reply has `next_after`, more types would not have fitted: ask again with it as `after`.
    """

    after: str | None = None


class TriggerInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of trigger."""

    qualified_id: str
    display_name: str
    description: str | None
    category: str
    owner_plugin_id: str
    payload_schema: JsonObject
    config_schema: JsonObject | None
    context_key: str | None
    source: str


class ActionInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of action; what it produces and consumes by qualified ids."""

    qualified_id: str
    display_name: str
    description: str | None
    category: str
    owner_plugin_id: str
    config_schema: JsonObject
    produces: str | None
    consumes: list[str]
    closes: list[str]
    timeout_seconds: float
    retry_safe: bool
    source: str


class ArtifactTypeInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of artifact."""

    qualified_id: str
    display_name: str
    description: str | None
    owner_plugin_id: str
    schema: JsonObject


class Triggers(Struct, frozen=True, omit_defaults=False):
    """All types of triggers, by id."""

    items: list[TriggerInfo]
    next_after: str | UnsetType = UNSET


class Actions(Struct, frozen=True, omit_defaults=False):
    """All types of actions, by id."""

    items: list[ActionInfo]
    next_after: str | UnsetType = UNSET


class ArtifactTypes(Struct, frozen=True, omit_defaults=False):
    """All types of artifacts, by id."""

    items: list[ArtifactTypeInfo]
    next_after: str | UnsetType = UNSET


class RenderRequest(Struct, frozen=True, kw_only=True):
    """Request of `templates.render`."""

    template: str
    context: JsonObject = {}
    mode: Literal["template", "expression", "condition"] = "template"


class RenderFault(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Why a text cannot be rendered, and where."""

    message: str
    line: int | None
    column: int | None


class Rendered(Struct, frozen=True, kw_only=True):
    """What a text gives; never an error reply."""

    success: bool
    output: Json | UnsetType = UNSET
    boolean_result: bool | UnsetType = UNSET
    error: RenderFault | UnsetType = UNSET
