"""The control API: which runs, in lists and for acts on many."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import UNSET, Meta, UnsetType, field

from .base import EventPattern, Limit, Offset, Part, Struct, Text
from .run_events import RunStatus

StatusFilter: TypeAlias = Literal[RunStatus, "active", "ended"]
"""A status, or one of several: `pending`, `running` and `waiting`, or all others."""
IdPart = Annotated[
    str,
    Meta(
        pattern=r"^[0-9A-Fa-f][0-9A-Fa-f-]*$(?!\n)",
        min_length=4,
        max_length=36,
        description="The beginning of an id.",
    ),
]


class RunsFilter(Struct, frozen=True, kw_only=True):
    """Which runs: all for which everything holds that is given."""

    id: Annotated[IdPart | None, Meta(description="Only those whose id begins so.")] = None
    automation_id: Annotated[Text | None, Meta(description="Only of this automation.")] = None
    status: Annotated[
        StatusFilter | None,
        Meta(description="Only those; `active`: pending, running, waiting; `ended`: all others."),
    ] = None
    event: Annotated[
        EventPattern | None, Meta(description="Only those that such an event has started.")
    ] = None
    context_key: Annotated[
        Text | None | UnsetType, Meta(description="Only of this one; null: of those without one.")
    ] = UNSET
    error: Annotated[
        Part | None, Meta(description="Only with this in their error, in any case of letters.")
    ] = None
    text: Annotated[
        Part | None,
        Meta(
            description="Only with this in the name of the automation, the event id, its message "
            "id, the context key, the error or the reason, in any case of letters; or as it stands "
            "here in the JSON of a payload of up to 8 KiB."
        ),
    ] = None
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Only those created since.")
    ] = None


class RunsList(RunsFilter, frozen=True, kw_only=True):
    """Request of `runs.list`."""

    limit: Annotated[Limit, Meta(description="At most so many.")] = 50
    offset: Annotated[
        Offset, Meta(description="Leaves out so many; at most 10,000, further on by `cursor`.")
    ] = 0
    cursor: Annotated[
        str | None, Meta(description="`next_cursor` of the page before; `offset` is passed over.")
    ] = None


class RunsSelect(Struct, frozen=True, kw_only=True):
    """Some runs by their ids, or all that are meant: call again with the `cursor` of the reply."""

    ids: Annotated[
        Annotated[list[str], Meta(min_length=1, max_length=200)] | None,
        Meta(description="Which runs; or give `where`."),
    ] = None
    where: Annotated[
        RunsFilter | None,
        Meta(description="All of these that are there now; an empty filter: all there are."),
    ] = None
    cursor: Annotated[str | None, Meta(description="Of the reply before, to go on.")] = None


class RunsCancel(RunsSelect, frozen=True, kw_only=True):
    """Request of `runs.cancel_many`; without a status in `where`: all active ones."""

    reason: Annotated[Text | None, Meta(description="Why; kept with the runs.")] = None


class RunsRetry(RunsSelect, frozen=True, kw_only=True):
    """Request of `runs.retry_many`; without a status in `where`: those that failed."""

    from_: Annotated[
        Literal["start", "failed"],
        Meta(description="Where they begin; `failed`: at the step that failed."),
    ] = field(name="from", default="failed")


class RunFault(Struct, frozen=True, omit_defaults=False):
    """A run to which nothing was done, and why."""

    id: Annotated[str, Meta(description="Which run.")]
    code: Annotated[
        Literal["not_found", "refused"],
        Meta(description="Whether it is not there, or it could not be done."),
    ]
    message: Annotated[str, Meta(description="Why, for people.")]


class RunsDone(Struct, frozen=True, omit_defaults=False):
    """How many runs were cancelled or retried, and which were not."""

    done: Annotated[int, Meta(description="Runs that were cancelled or retried.")]
    failed: Annotated[list[RunFault], Meta(description="Runs to which nothing was done.")]
    new_ids: Annotated[list[str], Meta(description="Of a retry: the new runs.")] = []
    cursor: Annotated[str | None, Meta(description="There is more: call again with it.")] = None
