"""The definition of an automation: triggers, conditions, actions, mode."""

from typing import Annotated, Literal

from msgspec import Meta, field

from .actions import Action
from .base import EventId, Expression, JsonObject, Name, OptionalExpression, Struct, TriggerId
from .conditions import Condition

Mode = Literal["single", "parallel", "queued", "restart"]


class Window(Struct, frozen=True):
    """The trigger goes on only at or above `count` occurrences within the trailing `minutes`."""

    count: Annotated[int, Meta(ge=1, le=1000)]
    minutes: Annotated[int, Meta(ge=1, le=1440)]
    refire: Literal["every", "once"] = "once"
    partition_by: Expression | None = None


class Hold(Struct, frozen=True):
    """How long a trigger must stay true: exactly one of the fields, 1 second to 30 days."""

    seconds: Annotated[int, Meta(ge=1, le=2592000)] | None = None
    minutes: Annotated[int, Meta(ge=1, le=43200)] | None = None
    hours: Annotated[int, Meta(ge=1, le=720)] | None = None
    template: Annotated[Expression, Meta(description="Gives seconds.")] | None = None


class Trigger(Struct, frozen=True, kw_only=True):
    """An event that starts runs."""

    event: EventId
    id: Annotated[TriggerId, Meta(description="Derived from the event if absent.")] | None = None
    filter: OptionalExpression | None = None
    config: JsonObject | None = None
    window: Window | None = None
    for_: Hold | None = field(name="for", default=None)
    cancel_filter: OptionalExpression | None = None


class Definition(Struct, frozen=True, kw_only=True):
    """What an automation does."""

    name: Name
    description: str | None = None
    triggers: Annotated[list[Trigger], Meta(min_length=1)]
    conditions: list[Condition] = []
    actions: list[Action] = []
    mode: Mode = "single"
    max_runs: Annotated[int, Meta(ge=1, le=1000)] = 10
    max_duration_seconds: Annotated[int, Meta(ge=1, le=31536000)] | None = None
    concurrency_scope: Literal["automation", "context_key"] = "automation"
