"""Why events started or woke something, or did not, in the control API."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from .base import Struct, Text
from .dead import DeadLetter


class WhyRequest(Struct, frozen=True, kw_only=True):
    """Request of `events.why`: of an event, or the last refusals of an automation."""

    event: Annotated[
        Text | None,
        Meta(description="An event id or a message id; without it `automation_id` is asked for."),
    ] = None
    automation_id: Annotated[
        Text | None,
        Meta(description="Only at this automation; without `event`: its last refusals."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=50, description="At most so many events.")] = 5


class Consequence(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of an event at one automation: a run, a wake, or what refused it."""

    automation_id: Annotated[str, Meta(description="At which automation.")]
    trigger_id: Annotated[
        str | None, Meta(description="At which trigger; null: none of them was asked.")
    ]
    outcome: Annotated[
        Literal["started", "skipped", "cancelled", "woke", "refused", "passed_over", "parked"],
        Meta(
            description="What became of it; `passed_over`: a run waited about then, and it did not "
            "end the wait; `parked`: no replica can handle it there yet."
        ),
    ]
    gate: Annotated[
        str | None,
        Meta(
            description="What refused it: filter, window, conditions, mode, ...; of a wait: "
            "wait_filter, wait_key, wait_deadline, wait_over, wait_later."
        ),
    ]
    detail: Annotated[str | None, Meta(description="Why, with the values it saw.")]
    run_id: Annotated[
        str | None, Meta(description="The run that started or woke, or that it passed over.")
    ]
    action_path: Annotated[str | None, Meta(description="Of a wait: the step of that run.")] = None


class HandledEvent(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An event that was taken, and all that followed."""

    event: Annotated[str, Meta(description="Its event id.")]
    message_id: Annotated[str | None, Meta(description="Its message id.")]
    delivery: Annotated[
        str,
        Meta(
            description="Which message of the stream: `<stream>:<sequence>:<time>`; empty where it "
            "is not known any more, or there was none."
        ),
    ]
    handled_at: Annotated[datetime | None, Meta(description="When it was taken.")]
    consequences: Annotated[
        list[Consequence], Meta(description="What followed, as far as it is known.")
    ]
    more: Annotated[int, Meta(description="Consequences that are not told.")] = 0
    time: Annotated[
        datetime | None, Meta(description="When the stream stored it; null: not known.")
    ] = None
    context_key: Annotated[
        str | None, Meta(description="Its context key, cut; empty: none; null: not known.")
    ] = None
    note: Annotated[
        str | None, Meta(description="Why nothing followed, or why that cannot be told.")
    ] = None


class UnhandledEvent(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An event that is in the stream, and not handled yet."""

    event: Annotated[str, Meta(description="Its event id.")]
    message_id: Annotated[str | None, Meta(description="Its message id.")]
    lane: Annotated[str, Meta(description="Its lane; empty: none.")]
    sequence: Annotated[int, Meta(description="Its place in the stream.")]
    stored_at: Annotated[datetime, Meta(description="When the stream stored it, by its clock.")]


class Why(Struct, frozen=True, omit_defaults=False):
    """Recent events, newest first, and what is known of others that were asked for."""

    items: Annotated[list[HandledEvent], Meta(description="Newest first.")]
    dead_letters: Annotated[
        list[DeadLetter], Meta(description="Those that could not be handled, newest first.")
    ] = []
    unhandled: Annotated[
        list[UnhandledEvent], Meta(description="Those that are not handled yet, oldest first.")
    ] = []
    notes: Annotated[list[str], Meta(description="What is not known, and what to do next.")] = []
