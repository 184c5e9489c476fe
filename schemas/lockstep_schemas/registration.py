"""Types that services bring over the bus, and the files that bring types of triggers."""

from typing import Annotated

from msgspec import Meta

from .base import EventId, JsonObject, Name, QualifiedId, Struct

Category = Annotated[str, Meta(min_length=1, max_length=100)]
Owner = Annotated[
    str, Meta(min_length=1, max_length=200, description="Who may change it: one service, always.")
]
LocalName = Annotated[
    str, Meta(min_length=1, max_length=256, description="Within the plug-in: the id's first word.")
]


class TriggerRegister(Struct, frozen=True, kw_only=True):
    """Request of `catalog.triggers.register`; the owner is the actor if none is named."""

    id: EventId
    display_name: Name | None = None
    description: str | None = None
    category: Category = "Uncategorized"
    payload_schema: JsonObject | None = None
    context_key: Annotated[
        str | None,
        Meta(description="A JSON Pointer or a bare expression over the payload."),
    ] = None
    owner: Owner | None = None


class ActionRegister(Struct, frozen=True, kw_only=True):
    """Request of `catalog.actions.register`: an action that its owner answers on the bus."""

    id: QualifiedId
    display_name: Name | None = None
    description: str | None = None
    category: Category = "Uncategorized"
    config_schema: JsonObject = {}
    produces: LocalName | None = None
    produces_schema: Annotated[
        JsonObject | None, Meta(description="What the artifact looks like; any object if left out.")
    ] = None
    consumes: list[LocalName] = []
    closes: list[LocalName] = []
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400)] = 300
    retry_safe: bool = True
    owner: Owner | None = None
