"""Dead letters in the control API: events that could not be handled, and what becomes of them."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .api import Limit
from .base import Struct

LetterId = Annotated[
    int, Meta(ge=1, le=2**63 - 1, description="Its position in the stream of dead letters.")
]
DeadEvent = Annotated[
    str,
    Meta(
        min_length=1,
        description="An event id; `orders.*` for all that begin with `orders.`; `*` for all.",
    ),
]


class DeadList(Struct, frozen=True, kw_only=True):
    """Request of `dead.list`: newest first; `before` is `next_before` of the page before."""

    event: DeadEvent | None = None
    limit: Limit = 50
    before: LetterId | None = None


class DeadLetter(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """An event that could not be handled. Long texts are cut here, not in `dead.show`."""

    id: int
    event: str
    reason: str
    subject: str
    message_id: str | None
    actor: str | None
    context_key: str | None
    published_at: datetime | None
    died_at: datetime
    deliveries: int | None
    size: int


class DeadPage(Struct, frozen=True, omit_defaults=False):
    """Dead letters, newest first; `total` counts those of all pages."""

    items: list[DeadLetter]
    total: int
    limit: int
    next_before: int | None


class DeadById(Struct, frozen=True):
    """Request of `dead.show`."""

    id: LetterId


class DeadDetail(Struct, frozen=True, kw_only=True):
    """A dead letter with its headers and its body: as text, or in base64 where it is none."""

    letter: DeadLetter
    headers: dict[str, str]
    body: str | UnsetType = UNSET
    body_base64: str | UnsetType = UNSET
    body_cut: bool = False


class DeadSelect(Struct, frozen=True, kw_only=True):
    """Request of `dead.retry` and `dead.discard`: some by their ids, or all of an event.

    All of an event may be many: call again with the `cursor` of the reply while it has one.
    """

    ids: Annotated[list[LetterId], Meta(min_length=1, max_length=200)] | None = None
    event: DeadEvent | None = None
    cursor: str | None = None


class DeadFault(Struct, frozen=True, omit_defaults=False):
    """A dead letter to which nothing was done, and why."""

    id: int
    code: Literal["not_found", "refused"]
    message: str


class DeadDone(Struct, frozen=True, omit_defaults=False):
    """How many were retried or discarded, and which were not."""

    done: int
    failed: list[DeadFault]
    cursor: str | None = None
