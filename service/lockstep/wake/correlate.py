"""Satisfy: the waits that an event ends, each at most once, by the first event that passes."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from lockstep.model.errors import RenderError
from lockstep.model.events import Event
from lockstep.model.program import Expression
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.waits import Awaited, Satisfied
from lockstep.ports.wake import WakeTransaction

BREATH: Final = 64  # filters after which others have their turn

log = structlog.get_logger()


async def correlate(
    events: Sequence[Event],
    compile_filter: Callable[[str], Expression],
    now: datetime,
    tx: WakeTransaction,
) -> list[Satisfied]:
    """Find the waits that these events end, in order.

    Only waits that were stored before this transaction: one that is armed while its event is
    handled is not satisfied by it. A filter that cannot be judged keeps its wait waiting.
    """
    if not events:
        return []
    taken: dict[UUID, Satisfied] = {}
    reasons: dict[UUID, str] = {}
    for number, wait in enumerate(await tx.awaited(events), 1):
        if wait.id in taken:
            continue
        event = events[wait.place]
        try:
            if _passes(wait, event, compile_filter, now):
                taken[wait.id] = Satisfied(wait, event)
        except RenderError as error:
            reasons[wait.id] = f"the filter could not be judged for an event: {error}"
            log.warning(
                "wait.failed", run_id=str(wait.run_id), automation_id=wait.automation_id,
                path=wait.path, event_id=event.id, error=error,
            )  # fmt: skip
        if number % BREATH == 0:
            await asyncio.sleep(0)
    if reasons:
        await tx.warn(sorted(reasons.items()))
    return list(taken.values())


def _passes(
    wait: Awaited, event: Event, compile_filter: Callable[[str], Expression], now: datetime
) -> bool:
    if wait.filter is None:
        return True
    trigger = trigger_scope(
        None,
        event.id,
        event.payload,
        event.actor,
        event.time,
        event.message_id,
        event.context_key,
        event.hop,
    )
    scope = {"trigger": trigger, "run_scope": wait.run_scope or {}, "now": iso(now)}
    return compile_filter(wait.filter).holds(scope)
