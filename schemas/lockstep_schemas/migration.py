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

    id: Annotated[SubscriptionId, Meta(description="Its id, by which it is imported once.")]
    name: Annotated[str, Meta(description="Becomes the name of the automation.")]
    provider_id: Annotated[
        str, Meta(description="What delivered it: `integration-jira.jira` and the like.")
    ]
    provider_config: Annotated[JsonObject, Meta(description="Its config, as the provider had it.")]
    event_id: Annotated[str, Meta(description="Its event: becomes the trigger.")]
    enabled: Annotated[bool, Meta(description="Whether the automation is enabled.")]
    description: Annotated[str | None, Meta(description="Becomes that of the automation.")] = None
    system_filter: Annotated[
        list[str] | None, Meta(description="Ids of systems; none or an empty list lets all pass.")
    ] = None


class ImportRequest(Struct, frozen=True):
    """Request of `migration.import`; one that is no `Subscription` fails alone."""

    subscriptions: Annotated[list[Json], Meta(max_length=500, description="Each a `Subscription`.")]


class Imported(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of the subscriptions: each is counted once beside `total`."""

    total: Annotated[int, Meta(description="How many there were.")]
    migrated: Annotated[int, Meta(description="How many became automations.")]
    skipped: Annotated[int, Meta(description="How many had theirs already.")]
    failed: Annotated[int, Meta(description="How many could not.")]


class FailuresList(Struct, frozen=True, kw_only=True):
    """Request of `migration.failures`."""

    limit: Annotated[int, Meta(ge=1, le=200, description="At most so many.")] = 200
    offset: Annotated[Offset, Meta(description="Leaves out so many.")] = 0


class ImportFailure(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A subscription that did not become an automation when it was imported last.

    `id` is that of the subscription; one without an id that can be used has a made one. `config`
    is its `providerConfig` as it came, or null where it is too large to be kept.
    """

    id: Annotated[str, Meta(description="Id of the subscription.")]
    name: Annotated[str | None, Meta(description="Its name.")]
    provider: Annotated[str | None, Meta(description="Its provider.")]
    event: Annotated[str | None, Meta(description="Its event.")]
    reason: Annotated[str, Meta(description="What kind of failure.")]
    detail: Annotated[str, Meta(description="What is wrong.")]
    config: Annotated[Json, Meta(description="Its `providerConfig`.")]
    failed_at: Annotated[datetime, Meta(description="When it was tried last.")]


class Failures(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Failures that nobody has acknowledged, oldest first.

    A page ends early where it would be too large for a message; `total` counts those of all pages.
    """

    items: Annotated[list[ImportFailure], Meta(description="Oldest first.")]
    total: Annotated[int, Meta(description="Of all pages.")]
    limit: Annotated[int, Meta(description="As asked for.")]
    offset: Annotated[int, Meta(description="As asked for.")]
