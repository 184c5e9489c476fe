"""Remote actions: what the engine asks on `lockstep.action.<plugin>.<name>`, and the answers."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from .base import Json, JsonObject, Struct


class ActionRequest(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The request to the service that provides an action."""

    config: JsonObject
    consumed_artifacts: Annotated[
        dict[str, Json], Meta(description="By local type name; what there is none of is absent.")
    ]
    scope: JsonObject
    run_id: str
    automation_id: str
    context_key: str | None
    step_path: str
    attempt: Annotated[int, Meta(ge=1)]
    idempotency_key: Annotated[
        str, Meta(description="`<run id>:<step path>`: the same for every attempt.")
    ]


class ActionReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it answers: how it ended, or that it goes on and the result will be published."""

    success: bool | UnsetType = UNSET
    accepted: Annotated[
        bool, Meta(description="The result follows as the event `lockstep.action.done`.")
    ] = False
    artifact: JsonObject | None = None
    external_id: str | None = None
    error: str | None = None
    retry_after_ms: int | None = None


class ActionDone(ActionReply, frozen=True, kw_only=True, omit_defaults=True):
    """The payload of the event `lockstep.action.done`: the result of work that was accepted."""

    idempotency_key: Annotated[str, Meta(min_length=1)]
