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

    id: Annotated[EventId, Meta(description="The event id.")]
    display_name: Annotated[
        Name | None, Meta(description="For people; made from the id if absent.")
    ] = None
    description: Annotated[str | None, Meta(description="What it is for.")] = None
    category: Annotated[Category, Meta(description="To list by.")] = "Uncategorized"
    payload_schema: Annotated[
        JsonObject | None,
        Meta(description="JSON Schema of the payload; what breaks it becomes a dead letter."),
    ] = None
    context_key: Annotated[
        str | None,
        Meta(description="A JSON Pointer or a bare expression over the payload."),
    ] = None
    owner: Annotated[Owner | None, Meta(description="Else the actor of the request.")] = None


class ActionRegister(Struct, frozen=True, kw_only=True):
    """Request of `catalog.actions.register`: an action that its owner answers on the bus."""

    id: Annotated[QualifiedId, Meta(description="The service answers on `lockstep.action.<id>`.")]
    display_name: Annotated[
        Name | None, Meta(description="For people; made from the id if absent.")
    ] = None
    description: Annotated[str | None, Meta(description="What it is for.")] = None
    category: Annotated[Category, Meta(description="To list by.")] = "Uncategorized"
    config_schema: Annotated[
        JsonObject,
        Meta(description="JSON Schema of the config; `x-secret: true` marks fields for secrets."),
    ] = {}
    produces: Annotated[
        LocalName | None, Meta(description="The type of artifact that it makes.")
    ] = None
    produces_schema: Annotated[
        JsonObject | None, Meta(description="What the artifact looks like; any object if left out.")
    ] = None
    consumes: Annotated[
        list[LocalName], Meta(description="Types of artifacts that it is given.")
    ] = []
    closes: Annotated[
        list[LocalName], Meta(description="Types of artifacts that it closes when it succeeds.")
    ] = []
    timeout_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="For one attempt, in seconds.")
    ] = 300
    retry_safe: Annotated[
        bool,
        Meta(
            description="False: after a crash amid a call the step fails instead of calling again."
        ),
    ] = True
    owner: Annotated[Owner | None, Meta(description="Else the actor of the request.")] = None
