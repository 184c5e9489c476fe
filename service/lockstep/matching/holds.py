"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from lockstep.matching.hits import judgement
from lockstep.model.ids import uuid7
from lockstep.model.matches import Hit, Hold, Holder, Judgement, Match
from lockstep.ports import Transaction


def lock_name(hit: Hit) -> str:
    """Name what is held, to be locked with the gates."""
    key = hit.event.context_key
    return f"h/{hit.automation.id}/{hit.trigger.id}/{'' if key is None else f'={key}'}"


async def held(
    matches: Sequence[Match], now: datetime, tx: Transaction
) -> tuple[list[Hit], list[Judgement], list[Hold], list[UUID]]:
    """Arm and disarm, in order; let through what has no hold.

    Returns:
        What goes on at once, why the others do not, and the holds that were armed and disarmed.
    """
    holders = [_holder(match.hit) for match in matches if match.hit.trigger.hold is not None]
    if not holders:
        return [match.hit for match in matches], [], [], []
    stored = await tx.armed_holds(holders)
    state: dict[Holder, UUID | Hold | None] = dict(stored)
    through: list[Hit] = []
    refused: list[Judgement] = []
    for match in matches:
        hit = match.hit
        if hit.trigger.hold is None:
            through.append(hit)
            continue
        holder = _holder(hit)
        armed = state.get(holder)
        if match.cancels:
            state[holder] = None
            told = "disarmed by the cancel filter" if armed else "cancelled, and nothing was armed"
        elif armed is not None:
            told = "armed already: the first deadline and payload stay"
        else:
            due_at = now + timedelta(seconds=match.hold_seconds)
            state[holder] = Hold(
                id=uuid7(), holder=holder, event=hit.event, armed_at=now, due_at=due_at
            )
            told = f"armed for {match.hold_seconds:g} s"
        refused.append(judgement(hit, "for", told))
    armed_now = [hold for hold in state.values() if isinstance(hold, Hold)]
    gone = [wait_id for holder, wait_id in stored.items() if state[holder] != wait_id]
    await tx.change_holds(armed_now, gone)
    return through, refused, armed_now, gone


def _holder(hit: Hit) -> Holder:
    return Holder(hit.automation.id, hit.trigger.id, hit.event.context_key)
