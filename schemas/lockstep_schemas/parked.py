"""What is parked, in the control API: rows that no replica could handle, and what becomes of them.

A row that a version cannot read, bind, publish or judge is put aside; the others go on. Each
replica that has not tried it does so, and an operator may retry or discard it.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from .base import AutomationId, Json, Limit, Struct

ParkedKind = Literal["run", "wait", "timer", "outbox", "setup", "event", "automation"]
ParkedText = Annotated[
    str,
    Meta(min_length=1, max_length=400, description="`<kind>:<key>`, as `parked.list` gives it."),
]


class ParkedList(Struct, frozen=True, kw_only=True):
    """Request of `parked.list`: the longest parked first."""

    kind: Annotated[ParkedKind | None, Meta(description="Only of this kind.")] = None
    automation_id: Annotated[
        AutomationId | None, Meta(description="Only what is of this automation.")
    ] = None
    limit: Annotated[Limit, Meta(description="At most so many.")] = 50
    cursor: Annotated[
        str | None, Meta(description="For the page after: `next_cursor` of the one before.")
    ] = None


class Parked(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Something that is parked, and why."""

    id: Annotated[str, Meta(description="What it is named by: `<kind>:<key>`.")]
    kind: Annotated[ParkedKind, Meta(description="What it is a row of.")]
    automation_id: Annotated[
        str | None, Meta(description="Whose it is; null where that cannot be told.")
    ]
    run_id: Annotated[str | None, Meta(description="Of which run; null: of none.")]
    event: Annotated[str | None, Meta(description="The event id, where there is one.")]
    reason: Annotated[str, Meta(description="Why it could not be handled.")]
    version: Annotated[str, Meta(description="Of the engine that parked it.")]
    parked_at: Annotated[datetime, Meta(description="Since when it is parked.")]


class ParkedPage(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What is parked; `total` counts that of all pages."""

    items: Annotated[list[Parked], Meta(description="The longest parked first.")]
    total: Annotated[int, Meta(description="Of all pages.")]
    limit: Annotated[int, Meta(description="As asked for.")]
    next_cursor: Annotated[
        str | None, Meta(description="For the page after this; null: there is none.")
    ]


class ParkedById(Struct, frozen=True):
    """Request of `parked.show`."""

    id: Annotated[ParkedText, Meta(description="What to show.")]


class ParkedDetail(Struct, frozen=True, kw_only=True):
    """Something that is parked, with its row."""

    parked: Annotated[Parked, Meta(description="In short.")]
    row: Annotated[
        dict[str, Json],
        Meta(description="The row as it is stored, without nulls; long values are cut."),
    ]


class ParkedSelect(Struct, frozen=True):
    """Request of `parked.retry` and `parked.discard`."""

    ids: Annotated[
        list[ParkedText], Meta(min_length=1, max_length=200, description="Which of them.")
    ]


class ParkedFault(Struct, frozen=True, omit_defaults=False):
    """Something that is parked to which nothing was done, and why."""

    id: Annotated[str, Meta(description="What it was named by.")]
    code: Annotated[
        Literal["not_found", "refused"],
        Meta(description="Whether it is not parked, or cannot be discarded."),
    ]
    message: Annotated[str, Meta(description="Why, for people.")]


class ParkedDone(Struct, frozen=True, omit_defaults=False):
    """How many were retried or discarded, and which were not."""

    done: Annotated[int, Meta(description="Those that were retried or discarded.")]
    failed: Annotated[list[ParkedFault], Meta(description="Those to which nothing was done.")]
