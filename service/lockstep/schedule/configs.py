"""Configs of the triggers that tick by themselves, and the payload of a tick."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from lockstep.model.run_events import iso
from lockstep_schemas.base import JsonObject

PREFIX: Final = "automation."
MAX_PATTERN: Final = 200  # characters: room for a list of all minutes of an hour, which has 169


class Cron(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Ticks of a cron pattern: 5 fields, 6 with seconds first, names, `@daily` and its like."""

    cron_pattern: Annotated[
        str,
        Meta(min_length=1, max_length=MAX_PATTERN, description="Such as `0 7 * * mon-fri`."),
    ]
    timezone: Annotated[str, Meta(description="IANA, such as Europe/Berlin.")] = "UTC"
    missed: Annotated[
        Literal["skip", "last", "all"],
        Meta(description="Which ticks of an outage start a run after it."),
    ] = "last"


class Interval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A tick each so many seconds, the first after one interval."""

    interval_seconds: Annotated[
        int, Meta(ge=1, le=31_536_000, description="From one tick to the next.")
    ]


class Edge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tick when an expression over `now` goes from false to true."""

    value_template: Annotated[str, Meta(min_length=1, description="A bare expression.")]
    interval_seconds: Annotated[
        int, Meta(ge=1, le=86_400, description="How often it is looked at.")
    ] = msgspec.field(name="intervalSeconds")


class Fired(msgspec.Struct, frozen=True, rename="camel"):
    """Payload of a tick."""

    fired_at: Annotated[
        datetime, Meta(description="When it was due; of a start by hand, when that was.")
    ]


Schedule: TypeAlias = Cron | Interval | Edge
KINDS: Final[Mapping[str, type[Schedule]]] = {
    "automation.cron": Cron,
    "automation.interval": Interval,
    "automation.template": Edge,
}


def with_tick(event_id: str, payload: JsonObject, at: datetime) -> JsonObject:
    """Give a payload the fields that a tick has, as far as it does not say them itself."""
    return {"firedAt": iso(at), **payload} if event_id in KINDS else payload


def schedule_of(event_id: str, config: JsonObject) -> Schedule | None:
    """Read the schedule of a trigger; None if its event comes from the bus.

    Raises:
        ValidationError: The config is not of its shape.
    """
    kind = KINDS.get(event_id)
    return None if kind is None else msgspec.convert(config, kind)
