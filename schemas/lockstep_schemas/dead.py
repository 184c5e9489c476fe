"""Dead letters in the control API: events that could not be handled, and what becomes of them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .base import EventPattern, Limit, Part, Struct, Text

LetterId = Annotated[
    int, Meta(ge=1, le=2**63 - 1, description="Its position in the stream of dead letters.")
]


class DeadFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters: all for which everything holds that is given."""

    event: Annotated[EventPattern | None, Meta(description="Only of these events.")] = None
    context_key: Annotated[
        Text | None | UnsetType,
        Meta(description="Only with this header `Lockstep-Context-Key`; null: without one."),
    ] = UNSET
    error: Annotated[
        Part | None, Meta(description="Only with this in the reason, in any case of letters.")
    ] = None
    text: Annotated[
        Part | None,
        Meta(
            description="Only with this in the event id, its message id, the actor, the context "
            "key or the reason, in any case of letters."
        ),
    ] = None


class DeadList(DeadFilter, frozen=True, kw_only=True):
    """Request of `dead.list`: newest first; `before` is `next_before` of the page before."""

    limit: Annotated[Limit, Meta(description="At most so many.")] = 50
    before: Annotated[
        LetterId | None,
        Meta(description="Only older than this letter: `next_before` of the page before."),
    ] = None


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An event that could not be handled. Long texts are cut here, not in `dead.show`."""

    id: Annotated[int, Meta(description="Its position in the stream of dead letters.")]
    event: Annotated[str, Meta(description="The event id.")]
    reason: Annotated[str, Meta(description="Why it could not be handled.")]
    subject: Annotated[str, Meta(description="Where it was published.")]
    message_id: Annotated[str | None, Meta(description="That of the event.")]
    actor: Annotated[
        str | None, Meta(description="The header `Lockstep-Actor` of the event, as it came.")
    ]
    context_key: Annotated[
        str | None, Meta(description="The header `Lockstep-Context-Key` of the event.")
    ]
    published_at: Annotated[datetime | None, Meta(description="When the event was published.")]
    died_at: Annotated[datetime, Meta(description="When it became a dead letter.")]
    deliveries: Annotated[int | None, Meta(description="How often it was tried.")]
    size: Annotated[int, Meta(description="Of the body, in bytes.")]


class DeadPage(Struct, frozen=True, omit_defaults=False):
    """Dead letters, newest first; `total` counts those of all pages.

    Where more than an event is asked for, a page looks through 2,000 letters at most: it may have
    few items, or none, and a `next_before`; `total` is then that of all letters of the event.
    """

    items: Annotated[list[DeadLetter], Meta(description="Newest first.")]
    total: Annotated[
        int, Meta(description="Of all pages; the most that it can be where `total_is_estimate`.")
    ]
    limit: Annotated[int, Meta(description="As asked for.")]
    next_before: Annotated[
        int | None, Meta(description="For the page after this; null: there is none.")
    ]
    total_is_estimate: Annotated[
        bool, Meta(description="Whether `total` counts letters too that were not asked for.")
    ] = False


class DeadById(Struct, frozen=True):
    """Request of `dead.show`."""

    id: Annotated[LetterId, Meta(description="Which letter.")]


class DeadDetail(Struct, frozen=True, kw_only=True):
    """A dead letter with its headers and its body: as text, or in base64 where it is none."""

    letter: Annotated[DeadLetter, Meta(description="The letter in short.")]
    headers: Annotated[
        dict[str, str], Meta(description="Of the event, and those that say why it is here.")
    ]
    body: Annotated[str | UnsetType, Meta(description="The body, where it is text.")] = UNSET
    body_base64: Annotated[
        str | UnsetType, Meta(description="The body in base64, where it is no text.")
    ] = UNSET
    body_cut: Annotated[bool, Meta(description="True: the body is longer than what is shown.")] = (
        False
    )


class DeadSelect(DeadFilter, frozen=True, kw_only=True):
    """Request of `dead.retry` and `dead.discard`: some by their ids, or all of a filter.

    These may be many: call again with the `cursor` of the reply while it has one.
    """

    ids: Annotated[
        Annotated[list[LetterId], Meta(min_length=1, max_length=200)] | None,
        Meta(description="Which letters; or give a filter, such as `event`."),
    ] = None
    cursor: Annotated[str | None, Meta(description="Of the reply before, to go on.")] = None


class DeadFault(Struct, frozen=True, omit_defaults=False):
    """A dead letter to which nothing was done, and why."""

    id: Annotated[int, Meta(description="Which letter.")]
    code: Annotated[
        Literal["not_found", "refused"],
        Meta(description="Whether it is not there or could not be published."),
    ]
    message: Annotated[str, Meta(description="Why, for people.")]


class DeadDone(Struct, frozen=True, omit_defaults=False):
    """How many were retried or discarded, and which were not."""

    done: Annotated[int, Meta(description="Letters that were retried or discarded.")]
    failed: Annotated[list[DeadFault], Meta(description="Letters to which nothing was done.")]
    cursor: Annotated[str | None, Meta(description="There is more: call again with it.")] = None
