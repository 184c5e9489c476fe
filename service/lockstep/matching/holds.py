"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from lockstep.matching.judge import refusal
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.timers import ArmedHold, Hold, Holder
from lockstep.ports.matching import MatchingTransaction


def lock_name(match: TriggerMatch) -> str:
    """Name what is held, to be locked with the queues."""
    key = match.event.context_key
    return f"h/{match.automation.id}/{match.trigger.id}/{'' if key is None else f'={key}'}"


class HoldsOver(Exception):
    """Events are later than the deadlines of holds that have not ended yet: these end first."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        super().__init__(ids)
        self.ids = ids


async def held(
    candidates: Sequence[Candidate], now: datetime, tx: MatchingTransaction, *, waits: bool
) -> tuple[list[Candidate], list[Decision], list[Hold], list[UUID]]:
    """Arm and disarm, in order; let through what has no hold.

    Returns:
        What goes on at once, why the others do not, and the holds that were armed and disarmed.

    Raises:
        HoldsOver: Holds have to end first, and these events can wait until then. Of those that
            cannot, the later ones disarm nothing.
    """
    holders = [_holder(one.match) for one in candidates if one.match.trigger.hold is not None]
    if not holders:
        return [*candidates], [], [], []
    stored = await tx.armed_holds(holders)
    if waits and (over := _over(candidates, stored)):
        raise HoldsOver(sorted(over))
    state: dict[Holder, ArmedHold | Hold | None] = dict(stored)
    through: list[Candidate] = []
    refused: list[Decision] = []
    for candidate in candidates:
        match = candidate.match
        if match.trigger.hold is None:
            through.append(candidate)
            continue
        holder = _holder(match)
        armed = state.get(holder)
        if candidate.cancels and armed is not None and match.event.time > armed.due_at:
            detail = "cancelled after the deadline: the hold ends as it is"
        elif candidate.cancels:
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
    gone = [hold.id for holder, hold in stored.items() if state[holder] is not hold]
    await tx.change_holds(armed_now, gone)
    return through, refused, armed_now, gone


def _over(candidates: Sequence[Candidate], stored: Mapping[Holder, ArmedHold]) -> set[UUID]:
    """Find the holds whose deadline lies before one of the events."""
    return {
        hold.id
        for candidate in candidates
        if (hold := stored.get(_holder(candidate.match))) is not None
        and candidate.match.event.time > hold.due_at
    }


def _holder(match: TriggerMatch) -> Holder:
    return Holder(match.automation.id, match.trigger.id, match.event.context_key)
