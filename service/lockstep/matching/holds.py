"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from lockstep.matching.judge import refusal
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.timers import Hold, Holder
from lockstep.ports.matching import MatchingTransaction


def lock_name(match: TriggerMatch) -> str:
    """Name what is held, to be locked with the queues."""
    key = match.event.context_key
    return f"h/{match.automation.id}/{match.trigger.id}/{'' if key is None else f'={key}'}"


async def held(
    candidates: Sequence[Candidate], now: datetime, tx: MatchingTransaction
) -> tuple[list[Candidate], list[Decision], list[Hold], list[UUID]]:
    """Arm and disarm, in order; let through what has no hold.

    Returns:
        What goes on at once, why the others do not, and the holds that were armed and disarmed.
    """
    holders = [
        _holder(candidate.match)
        for candidate in candidates
        if candidate.match.trigger.hold is not None
    ]
    if not holders:
        return [*candidates], [], [], []
    stored = await tx.armed_holds(holders)
    state: dict[Holder, UUID | Hold | None] = dict(stored)
    through: list[Candidate] = []
    refused: list[Decision] = []
    for candidate in candidates:
        match = candidate.match
        if match.trigger.hold is None:
            through.append(candidate)
            continue
        holder = _holder(match)
        armed = state.get(holder)
        if candidate.cancels:
            state[holder] = None
            detail = (
                "disarmed by the cancel filter" if armed else "cancelled, and nothing was armed"
            )
        elif armed is not None:
            detail = "armed already: the first deadline and payload stay"
        else:
            due_at = now + timedelta(seconds=candidate.hold_seconds)
            state[holder] = Hold(
                id=uuid7(), holder=holder, event=match.event, armed_at=now, due_at=due_at
            )
            detail = f"armed for {candidate.hold_seconds:g} s"
        refused.append(refusal(match, "for", detail))
    armed_now = [hold for hold in state.values() if isinstance(hold, Hold)]
    gone = [wait_id for holder, wait_id in stored.items() if state[holder] != wait_id]
    await tx.change_holds(armed_now, gone)
    return through, refused, armed_now, gone


def _holder(match: TriggerMatch) -> Holder:
    return Holder(match.automation.id, match.trigger.id, match.event.context_key)
