"""The import of webhook subscriptions: what goes in, and what is told of those that fail."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

from .api import Offset
from .base import END, Json, JsonObject, Struct

MANAGED_BY: Final = "migrated-subscription:"
"""With the id of a subscription behind it: the mark of the automation that it became."""

SubscriptionId = Annotated[
    str,
    Meta(
        pattern=f"^[^\\x00]+{END}",
        min_length=1,
        max_length=256,
        description="Any text without zero characters.",
    ),
]


class Subscription(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=False):
    """A webhook subscription. What else an export says of it is passed over."""

    id: SubscriptionId
    name: str
    provider_id: str
    provider_config: JsonObject
    event_id: str
    enabled: bool
    description: str | None = None
    system_filter: Annotated[
        list[str] | None, Meta(description="Ids of systems; none or an empty list lets all pass.")
    ] = None


class ImportRequest(Struct, frozen=True):
    """Request of `migration.import`; one that is no `Subscription` fails alone."""

    subscriptions: Annotated[list[Json], Meta(max_length=500)]


class Imported(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of the subscriptions: each is counted once beside `total`."""

    total: int
    migrated: int
    skipped: int
    failed: int


class FailuresList(Struct, frozen=True, kw_only=True):
    """Request of `migration.failures`."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 200
    offset: Offset = 0


class ImportFailure(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A subscription that did not become an automation when it was imported last.

    `id` is that of the subscription; one without an id that can be used has a made one. `config`
    is its `providerConfig` as it came, or null where it is too large to be kept.
    """

    id: str
    name: str | None
    provider: str | None
    event: str | None
    reason: str
    detail: str
    config: Json
    failed_at: datetime


class Failures(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Failures that nobody has acknowledged, oldest first.

    A page ends early where it would be too large for a message; `total` counts those of all pages.
    """

    items: list[ImportFailure]
    total: int
    limit: int
    offset: int
