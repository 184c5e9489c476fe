"""The definition of an automation: triggers, conditions, actions, mode."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from .actions import Action
from .base import (
    AutomationId,
    Enabled,
    EventId,
    Expression,
    JsonObject,
    Name,
    OptionalExpression,
    Struct,
    TriggerId,
)
from .conditions import Condition
from .durations import MaxAge

Mode = Literal["single", "parallel", "queued", "restart"]


class Window(Struct, frozen=True):
    """The trigger goes on only at or above `count` occurrences within the trailing `minutes`."""

    count: Annotated[int, Meta(ge=1, le=1000, description="Occurrences that passed the filter.")]
    minutes: Annotated[int, Meta(ge=1, le=1440, description="Length of the window, in minutes.")]
    refire: Annotated[
        Literal["every", "once"],
        Meta(description="`every`: each time; `once`: at the crossing, again after falling below."),
    ] = "once"
    partition_by: Annotated[
        Expression | None,
        Meta(description="Counts by its value; without it, or where it fails, by context key."),
    ] = None


class Hold(Struct, frozen=True):
    """How long a trigger must stay true: exactly one of the fields, 1 second to 30 days."""

    seconds: Annotated[int, Meta(ge=1, le=2592000, description="In seconds.")] | None = None
    minutes: Annotated[int, Meta(ge=1, le=43200, description="In minutes.")] | None = None
    hours: Annotated[int, Meta(ge=1, le=720, description="In hours.")] | None = None
    template: Annotated[Expression, Meta(description="Gives seconds.")] | None = None


class Trigger(Struct, frozen=True, kw_only=True):
    """An event that starts runs."""

    event: Annotated[EventId, Meta(description="The event that starts runs.")]
    id: Annotated[TriggerId, Meta(description="Derived from the event if absent.")] | None = None
    filter: Annotated[
        OptionalExpression | None, Meta(description="Must hold for the event to count.")
    ] = None
    config: Annotated[
        JsonObject | None, Meta(description="As the type of the trigger wants it.")
    ] = None
    window: Annotated[Window | None, Meta(description="How often in how long it must happen.")] = (
        None
    )
    for_: Annotated[
        Hold | None, Meta(description="The run starts so long after, unless it is disarmed.")
    ] = field(name="for", default=None)
    cancel_filter: Annotated[
        OptionalExpression | None,
        Meta(description="Beside `for`: an event that passes disarms it; judged before `filter`."),
    ] = None
    max_age: Annotated[
        MaxAge | None,
        Meta(description="An event that is older when it is handled starts nothing."),
    ] = None


class Definition(Struct, frozen=True, kw_only=True):
    """What an automation does."""

    name: Annotated[Name, Meta(description="For people, 1 to 200 characters.")]
    description: Annotated[str | None, Meta(description="What it is for, for people.")] = None
    triggers: Annotated[
        list[Trigger], Meta(min_length=1, description="What starts runs; any of them.")
    ]
    conditions: Annotated[
        list[Condition], Meta(description="All must hold for a run to start.")
    ] = []
    actions: Annotated[
        list[Action], Meta(description="What a run does, in order; none: it succeeds at once.")
    ] = []
    mode: Annotated[
        Mode,
        Meta(description="What becomes of a start while a run is active; `single` refuses it."),
    ] = "single"
    max_runs: Annotated[
        int,
        Meta(ge=1, le=1000, description="`parallel`: active at once; `queued`: with those queued."),
    ] = 10
    max_duration_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=31536000)] | None,
        Meta(description="From the start of a run, in seconds; past it the run has failed."),
    ] = None
    concurrency_scope: Annotated[
        Literal["automation", "context_key"],
        Meta(description="What the mode counts: all runs, or those of one context key."),
    ] = "automation"


class AutomationDocument(Struct, frozen=True, kw_only=True):
    """An automation in a file: its definition, and what may stand beside it.

    What is left out stays as it is stored.
    """

    id: Annotated[
        AutomationId | UnsetType,
        Meta(description="The automation that it is; without it, found by its name."),
    ] = UNSET
    name: Annotated[
        Name | UnsetType, Meta(description="For people; that of the definition if absent.")
    ] = UNSET
    group: Annotated[str | None | UnsetType, Meta(description="Free text, to list by.")] = UNSET
    status: Annotated[
        Enabled | UnsetType, Meta(description="Whether events start runs; `enabled` at first.")
    ] = UNSET
    description: Annotated[
        str | None | UnsetType, Meta(description="What it is for, for people.")
    ] = UNSET
    definition: Annotated[Definition, Meta(description="What it does.")]
