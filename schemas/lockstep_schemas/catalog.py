"""The control API: the catalog of types, and templates rendered for people."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .base import Json, JsonObject, Struct


class CatalogList(Struct, frozen=True):
    """Request of the lists of the catalog: of types, and of filters.

    Where a reply has `next_after`, more would not have fitted: ask again with it as `after`.
    """

    after: Annotated[str | None, Meta(description="`next_after` of the page before.")] = None


class TriggerInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of trigger."""

    qualified_id: Annotated[str, Meta(description="Its id, as automations name it.")]
    display_name: Annotated[str, Meta(description="For people.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    category: Annotated[str, Meta(description="To list by.")]
    owner_plugin_id: Annotated[str, Meta(description="The plug-in or service that brings it.")]
    payload_schema: Annotated[JsonObject, Meta(description="JSON Schema of the payload.")]
    config_schema: Annotated[
        JsonObject | None,
        Meta(description="JSON Schema of the trigger's config; null: it has none."),
    ]
    context_key: Annotated[str | None, Meta(description="What the context key is made of.")]
    source: Annotated[str, Meta(description="Whence its events: `bus`, or `setup` of a plug-in.")]


class ActionInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of action; what it produces and consumes by qualified ids."""

    qualified_id: Annotated[str, Meta(description="Its id, as automations name it.")]
    display_name: Annotated[str, Meta(description="For people.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    category: Annotated[str, Meta(description="To list by.")]
    owner_plugin_id: Annotated[str, Meta(description="The plug-in or service that brings it.")]
    config_schema: Annotated[JsonObject, Meta(description="JSON Schema of the config.")]
    produces: Annotated[str | None, Meta(description="Type of the artifact that it makes.")]
    consumes: Annotated[list[str], Meta(description="Types of artifacts that it is given.")]
    closes: Annotated[list[str], Meta(description="Types of artifacts that it closes.")]
    timeout_seconds: Annotated[float, Meta(description="For one attempt, in seconds.")]
    retry_safe: Annotated[bool, Meta(description="Whether a second attempt does no harm.")]
    source: Annotated[str, Meta(description="`plugin`, or `bus` for one of a service.")]


class ArtifactTypeInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A type of artifact."""

    qualified_id: Annotated[str, Meta(description="Its id, as automations name it.")]
    display_name: Annotated[str, Meta(description="For people.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    owner_plugin_id: Annotated[str, Meta(description="The plug-in or service that brings it.")]
    schema: Annotated[JsonObject, Meta(description="JSON Schema of its data.")]


class FilterInfo(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A filter (`value | name`) or a test (`value is name`) of expressions."""

    name: Annotated[str, Meta(description="Its name; a filter and a test may have the same.")]
    kind: Annotated[Literal["filter", "test"], Meta(description="Which of both.")]
    usage: Annotated[
        str, Meta(description='As it stands behind a value: `replace(old, new="", count=null)`.')
    ]
    description: Annotated[str, Meta(description="What it does, in one line; may be empty.")]
    owner_plugin_id: Annotated[
        str | None, Meta(description="The plug-in that brings it; null: it is built in.")
    ]


class Triggers(Struct, frozen=True, omit_defaults=False):
    """All types of triggers, by id."""

    items: Annotated[list[TriggerInfo], Meta(description="By id.")]
    next_after: Annotated[
        str | UnsetType, Meta(description="Where there are more: the last id of this page.")
    ] = UNSET


class Actions(Struct, frozen=True, omit_defaults=False):
    """All types of actions, by id."""

    items: Annotated[list[ActionInfo], Meta(description="By id.")]
    next_after: Annotated[
        str | UnsetType, Meta(description="Where there are more: the last id of this page.")
    ] = UNSET


class ArtifactTypes(Struct, frozen=True, omit_defaults=False):
    """All types of artifacts, by id."""

    items: Annotated[list[ArtifactTypeInfo], Meta(description="By id.")]
    next_after: Annotated[
        str | UnsetType, Meta(description="Where there are more: the last id of this page.")
    ] = UNSET


class Filters(Struct, frozen=True, omit_defaults=False):
    """All filters, then all tests, each by name."""

    items: Annotated[list[FilterInfo], Meta(description="Filters, then tests; by name.")]
    next_after: Annotated[
        str | UnsetType,
        Meta(description="Where there are more: kind and name of the last of this page."),
    ] = UNSET


class RenderRequest(Struct, frozen=True, kw_only=True):
    """Request of `templates.render`."""

    template: Annotated[str, Meta(description="The text.")]
    context: Annotated[JsonObject, Meta(description="What the text can name.")] = {}
    mode: Annotated[
        Literal["template", "expression", "condition"], Meta(description="What the text is.")
    ] = "template"


class RenderFault(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Why a text cannot be rendered, and where."""

    message: Annotated[str, Meta(description="What is wrong.")]
    line: Annotated[int | None, Meta(description="In the text, from 1.")]
    column: Annotated[int | None, Meta(description="In the text, from 1.")]


class Rendered(Struct, frozen=True, kw_only=True):
    """What a text gives; never an error reply."""

    success: Annotated[bool, Meta(description="Whether it could be rendered.")]
    output: Annotated[
        Json | UnsetType, Meta(description="What it gives; in mode `condition` absent.")
    ] = UNSET
    boolean_result: Annotated[
        bool | UnsetType, Meta(description="Whether the condition holds.")
    ] = UNSET
    error: Annotated[RenderFault | UnsetType, Meta(description="Why it could not be rendered.")] = (
        UNSET
    )
