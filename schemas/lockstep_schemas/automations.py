"""The control API: automations, their versions, and what is wrong with a definition."""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from .base import (
    AutomationId,
    Enabled,
    EventPattern,
    Json,
    JsonObject,
    Limit,
    Offset,
    Part,
    Struct,
    Text,
    Title,
)
from .events import Actor


class Issue(Struct, frozen=True, kw_only=True):
    """One fault of a definition: where, what, and what to do."""

    path: Annotated[
        list[str | int], Meta(description="From the definition to the place: names and indices.")
    ]
    message: Annotated[str, Meta(description="What is wrong there.")]
    hint: Annotated[str | None, Meta(description="What may help.")] = None
    line: Annotated[int | None, Meta(description="In the source, from 1, where there was one.")] = (
        None
    )
    column: Annotated[
        int | None, Meta(description="In the source, from 1, where there was one.")
    ] = None


class Automation(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A stored automation."""

    id: Annotated[str, Meta(description="Its id.")]
    name: Annotated[str, Meta(description="For people.")]
    description: Annotated[str | None, Meta(description="What it is for.")]
    status: Annotated[Enabled, Meta(description="Whether events start runs.")]
    group: Annotated[str | None, Meta(description="Free text, to list by.")]
    definition: Annotated[JsonObject, Meta(description="What it does.")]
    version: Annotated[
        int, Meta(description="Of the definition: 1, and 1 more for each change of it.")
    ]
    managed_by: Annotated[str | None, Meta(description="The tool that keeps it, such as `apply`.")]
    updated_by: Annotated[Actor | None, Meta(description="Who changed it last.")]
    created_at: Annotated[datetime, Meta(description="When it was stored first.")]
    updated_at: Annotated[datetime, Meta(description="When it was changed last.")]


class AutomationsList(Struct, frozen=True):
    """Request of `automations.list`."""

    limit: Annotated[Limit, Meta(description="At most so many.")] = 50
    offset: Annotated[Offset, Meta(description="Leaves out so many.")] = 0
    status: Annotated[Enabled | None, Meta(description="Only those.")] = None
    group: Annotated[Text | None, Meta(description="Only of this group.")] = None
    managed_by: Annotated[Text | None, Meta(description="Only those that this tool keeps.")] = None
    event: Annotated[
        EventPattern | None,
        Meta(description="Only those with such an `event`: in a trigger, a wait or elsewhere."),
    ] = None
    text: Annotated[
        Part | None,
        Meta(
            description="Only with this in the id, the name, the description, the group or the "
            "JSON of the definition, in any case of letters."
        ),
    ] = None
    cursor: Annotated[
        str | None, Meta(description="`next_cursor` of the page before; `offset` is passed over.")
    ] = None


class AutomationsPage(Struct, frozen=True, omit_defaults=False):
    """Automations by creation; fewer than `limit` where more would not fit into a reply.

    `next_cursor` leads to newer ones and stays right while some are deleted; an offset counts
    those that are there at the moment.
    """

    items: Annotated[list[Automation], Meta(description="Oldest first.")]
    total: Annotated[int, Meta(description="Of all pages.")]
    limit: Annotated[int, Meta(description="As asked for.")]
    offset: Annotated[int, Meta(description="As asked for.")]
    next_cursor: Annotated[
        str | UnsetType, Meta(description="Of the page after this; absent: there is none.")
    ] = UNSET


class AutomationCreate(Struct, frozen=True, kw_only=True):
    """Request of `automations.create`."""

    name: Annotated[Title, Meta(description="For people, 1 to 200 characters.")]
    definition: Annotated[
        Json, Meta(description="What it does; refused where `automations.validate` finds errors.")
    ]
    description: Annotated[Text | None, Meta(description="What it is for.")] = None
    status: Annotated[Enabled, Meta(description="Whether events start runs.")] = "enabled"
    group: Annotated[Text | None, Meta(description="Free text, to list by.")] = None
    id: Annotated[
        AutomationId | None, Meta(description="Yours; without it the engine gives one.")
    ] = None
    managed_by: Annotated[
        Text | None, Meta(description="The tool that keeps it, such as `apply`.")
    ] = None


class AutomationUpdate(Struct, frozen=True, kw_only=True):
    """Request of `automations.update`: only the fields that are there are changed."""

    id: Annotated[str, Meta(description="Which automation.")]
    name: Annotated[Title | UnsetType, Meta(description="For people, 1 to 200 characters.")] = UNSET
    description: Annotated[
        Text | None | UnsetType, Meta(description="What it is for; null: nothing.")
    ] = UNSET
    status: Annotated[Enabled | UnsetType, Meta(description="Whether events start runs.")] = UNSET
    group: Annotated[
        Text | None | UnsetType, Meta(description="Free text, to list by; null: none.")
    ] = UNSET
    definition: Annotated[
        Json | UnsetType, Meta(description="What it does; another one is a new version.")
    ] = UNSET
    managed_by: Annotated[
        Text | None | UnsetType, Meta(description="The tool that keeps it; null: none.")
    ] = UNSET
    expected_version: Annotated[
        int | None, Meta(description="Refused as a conflict if its version is another.")
    ] = None


class AutomationToggle(Struct, frozen=True):
    """Request of `automations.toggle`."""

    id: Annotated[str, Meta(description="Which automation.")]
    enabled: Annotated[bool, Meta(description="Whether events start runs from now on.")]


class ValidateRequest(Struct, frozen=True):
    """Request of `automations.validate`: a definition, or its source as YAML or JSON text."""

    definition: Annotated[
        Json | UnsetType, Meta(description="The definition; or give `source`.")
    ] = UNSET
    source: Annotated[
        str | UnsetType, Meta(description="YAML or JSON text of one; then issues have lines.")
    ] = UNSET


class Validation(Struct, frozen=True, omit_defaults=False):
    """What is wrong with a definition, and what may be meant otherwise."""

    valid: Annotated[bool, Meta(description="Whether there are no errors.")]
    errors: Annotated[list[Issue], Meta(description="For which it is refused.")]
    warnings: Annotated[list[Issue], Meta(description="For which it is not refused.")]


class Version(Struct, frozen=True, omit_defaults=False):
    """A definition as it once was, or is."""

    version: Annotated[int, Meta(description="Its number.")]
    definition: Annotated[JsonObject, Meta(description="What it does.")]
    created_at: Annotated[datetime, Meta(description="When it was stored.")]
    active_runs: Annotated[
        int, Meta(description="Runs of it that are pending, running or waiting.")
    ]


class VersionsGet(Struct, frozen=True):
    """Request of `automations.versions`."""

    id: Annotated[str, Meta(description="Which automation.")]
    after: Annotated[
        int, Meta(ge=0, le=2**31 - 1, description="`next_after` of the page before.")
    ] = 0


class Versions(Struct, frozen=True, omit_defaults=False):
    """The versions of an automation, oldest first; as many as fit into a reply."""

    items: Annotated[list[Version], Meta(description="Oldest first.")]
    next_after: Annotated[
        int | UnsetType, Meta(description="Where there are more: the last number of this page.")
    ] = UNSET
