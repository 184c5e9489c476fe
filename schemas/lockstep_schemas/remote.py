"""Remote actions: what the engine asks on `lockstep.action.<plugin>.<name>`, and the answers."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .base import Json, JsonObject, Struct


class ActionRequest(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The request to the service that provides an action."""

    config: Annotated[JsonObject, Meta(description="Rendered, with secrets resolved.")]
    consumed_artifacts: Annotated[
        dict[str, Json], Meta(description="By local type name; what there is none of is absent.")
    ]
    scope: Annotated[JsonObject, Meta(description="What the automation's expressions see.")]
    run_id: Annotated[str, Meta(description="The run that asks.")]
    automation_id: Annotated[str, Meta(description="Its automation.")]
    context_key: Annotated[str | None, Meta(description="What the run is about; null: nothing.")]
    step_path: Annotated[
        str, Meta(description="Where in the definition: `actions[0].sequence[1]`.")
    ]
    attempt: Annotated[int, Meta(ge=1, description="1 for the first.")]
    idempotency_key: Annotated[
        str, Meta(description="`<run id>:<step path>`: the same for every attempt.")
    ]


class ActionReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it answers: how it ended, or that it goes on and the result will be published."""

    success: Annotated[
        bool | UnsetType, Meta(description="Whether the work is done; absent beside `accepted`.")
    ] = UNSET
    accepted: Annotated[
        bool, Meta(description="The result follows as the event `lockstep.action.done`.")
    ] = False
    artifact: Annotated[
        JsonObject | None, Meta(description="What it made, as the type's artifact wants it.")
    ] = None
    external_id: Annotated[str | None, Meta(description="What it made is called so elsewhere.")] = (
        None
    )
    error: Annotated[str | None, Meta(description="Why it failed, for people.")] = None
    retry_after_ms: Annotated[
        int | None, Meta(description="Before the next attempt, in milliseconds.")
    ] = None


class ActionDone(ActionReply, frozen=True, kw_only=True, omit_defaults=True):
    """The payload of the event `lockstep.action.done`: the result of work that was accepted."""

    idempotency_key: Annotated[str, Meta(min_length=1, description="That of the request.")]
