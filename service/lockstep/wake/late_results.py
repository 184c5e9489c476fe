"""Results: the event `lockstep.action.done` ends the wait of the step that its key names."""

from collections.abc import Awaitable, Callable, Sequence, Set
from uuid import UUID

import msgspec

from lockstep.model.events import Event
from lockstep.model.waits import Satisfied, StepKey
from lockstep.ports.wake import WakeTransaction
from lockstep_schemas.events import ACTION_DONE
from lockstep_schemas.remote import ActionDone


async def unknown_steps(
    events: Sequence[Event], known_steps: Callable[[Sequence[StepKey]], Awaitable[Set[StepKey]]]
) -> list[tuple[Event, str]]:
    """Find the results that belong to no step, each with the reason; late ones are none of these.

    Raises:
        Unavailable: The store is away.
    """
    refused: list[tuple[Event, str]] = []
    keys: dict[int, StepKey] = {}
    for place, event in enumerate(events):
        if event.id != ACTION_DONE:
            continue
        try:
            keys[place] = _key(event)
        except (msgspec.ValidationError, ValueError) as error:
            refused.append((event, f"the payload is no result of a remote action: {error}"))
    if keys:
        known = await known_steps([*keys.values()])
        refused += [
            (events[place], f"idempotency_key: no step '{path}' of run {run_id} was ever called")
            for place, (run_id, path) in keys.items()
            if (run_id, path) not in known
        ]
    return refused


async def late_results(events: Sequence[Event], tx: WakeTransaction) -> list[Satisfied]:
    """Find the waits that results end; one that comes again, or after the deadline, ends none."""
    done = [event for event in events if event.id == ACTION_DONE]
    if not done:
        return []
    taken: dict[UUID, Satisfied] = {}
    for wait in await tx.open_results([(*_key(event), event.time) for event in done]):
        taken.setdefault(wait.id, Satisfied(wait, done[wait.place]))
    return list(taken.values())


def _key(event: Event) -> StepKey:
    """Read the idempotency key of a result: `<run id>:<step path>`. Raise ValueError."""
    key = msgspec.convert(event.payload, ActionDone).idempotency_key
    run_id, found, path = key.partition(":")
    if not found or "\0" in path:
        raise ValueError("idempotency_key: `<run id>:<step path>` is expected, as in the request")
    try:
        return UUID(run_id), path
    except ValueError:
        raise ValueError(f"idempotency_key: '{run_id[:40]}' is no id of a run") from None
