"""The action `automation.start`: a run that starts another run, and may wait for its end."""

from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from lockstep.catalog.registry import Registry
from lockstep.model.automations import DefinitionUnreadable
from lockstep.model.child_runs import ChildWanted, Parent
from lockstep.model.errors import EngineError
from lockstep.model.types import ActionContext, ActionResult
from lockstep.ports.actions import Children
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Start a run of another automation."""

    automation: Annotated[str, Meta(min_length=1, description="Id or name.")]
    payload: Annotated[
        JsonObject,
        Meta(
            description="What the run begins with: the payload of its first trigger; "
            "of a schedule, `firedAt` is now if absent."
        ),
    ] = {}
    wait: Annotated[bool, Meta(description="Sleep until it has ended.")] = False
    cancel_with_parent: Annotated[
        bool, Meta(description="Whether it is cancelled when this run is.")
    ] = True


class Started(msgspec.Struct, frozen=True):
    """The run that was started, and its status: the final one if it was waited for."""

    run_id: Annotated[str, Meta(description="Which run.")]
    status: Annotated[str, Meta(description="Its status, then.")]


def add_start(registry: Registry) -> None:
    """Register the action and its artifact."""
    registry.artifact("child", schema=Started, description=Started.__doc__)
    registry.add_action(
        "start", start, config=Start, produces="child", category="Automation", follow_up="child"
    )


async def start(context: ActionContext) -> ActionResult:
    """Start a run of another automation, once however often the step is repeated."""
    config = msgspec.convert(context.config, Start)
    trigger = msgspec.convert(context.scope.get("trigger"), _Trigger)
    wanted = ChildWanted(
        automation=config.automation,
        payload=config.payload,
        parent=Parent(UUID(context.run_id), context.step_path, config.cancel_with_parent),
        context_key=context.context_key,
        actor=trigger.actor,
        hop=trigger.hop + 1,
        traceparent=context.traceparent,
    )
    try:
        child = await context.services.get(Children).start(wanted)
    except DefinitionUnreadable:
        raise  # no failure of the step: a replica that can compile the automation goes on
    except EngineError as error:
        return ActionResult(success=False, error=str(error))
    if config.wait and child.status in ACTIVE:
        return ActionResult(accepted=True)
    run_id = str(child.run_id)
    return ActionResult(artifact={"run_id": run_id, "status": child.status}, external_id=run_id)


class _Trigger(msgspec.Struct):
    """What the scope says of the event that this run was started by."""

    actor: Actor = Actor()
    hop: int = 0
