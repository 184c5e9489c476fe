"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it.

Computed, not switched: what arms and what cancels is kept (`hold_events`) until no older event of
its id can come any more, and what comes out is read from it in the order of times; see `course`.
The first hold that nothing cancels is a timer. What older code has armed or disarmed meanwhile
shows in that the timer is not what the events say: they are dropped then, and the timer counts.
"""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never
from uuid import UUID

import structlog

from lockstep.matching.course import Course, Played, beyond_bounds, course, decided, up_to
from lockstep.matching.judge import refusal
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.program import TriggerRule
from lockstep.model.run_events import iso
from lockstep.model.timers import (
    ArmedHold,
    EndedHold,
    HeldEvents,
    Hold,
    HoldChanges,
    Holder,
    HoldEvent,
    KeptEvent,
)
from lockstep.model.waits import Rank
from lockstep.ports.matching import MatchingTransaction

_New: TypeAlias = dict[Rank, tuple[Candidate, HoldEvent]]

log = structlog.get_logger()


def holder_of(match: TriggerMatch) -> Holder:
    """Say what a match holds for."""
    return Holder(match.automation.id, match.trigger.id, match.event.context_key)


def rule_of(automation: Automation, trigger_id: str) -> TriggerRule | None:
    """Give the trigger that holds; None if it is gone, or holds no more."""
    triggers = automation.program.triggers
    return next((one for one in triggers if one.id == trigger_id and one.hold), None)


def lock_name(holder: Holder) -> str:
    """Name what is held, to be locked with the queues."""
    key = holder.context_key
    return f"h/{holder.automation_id}/{holder.trigger_id}/{'' if key is None else f'={key}'}"


async def held(
    candidates: Sequence[Candidate], now: datetime, tx: MatchingTransaction
) -> tuple[list[Candidate], list[Decision], list[Hold], list[UUID]]:
    """Arm and disarm by the times of events; let through what has no hold.

    Returns:
        What goes on at once, why the others do not, and the holds that were armed and disarmed.
    """
    by_holder: dict[Holder, list[Candidate]] = {}
    for one in candidates:
        if one.match.trigger.hold is not None:
            by_holder.setdefault(holder_of(one.match), []).append(one)
    if not by_holder:
        return [*candidates], [], [], []
    known = await tx.held_events([*by_holder])
    changes = HoldChanges([], [], [], [])
    details: dict[int, str] = {}
    for holder, some in by_holder.items():
        details |= _Change(holder, known.get(holder, HeldEvents()), changes).take(some, now)
    await tx.change_holds(changes)
    through = [one for one in candidates if one.match.trigger.hold is None]
    refused = [
        refusal(one.match, "for", details[id(one)])
        for one in candidates
        if one.match.trigger.hold is not None
    ]
    return through, refused, changes.armed, [one.hold.id for one in changes.ended]


async def followed(
    taken: Mapping[Holder, tuple[str, HoldEvent] | None], now: datetime, tx: MatchingTransaction
) -> list[Hold]:
    """Arm what follows holds that have ended, by the id of their event; after None nothing does."""
    if not taken:
        return []
    known = await tx.held_events([*taken])
    changes = HoldChanges([], [], [], [])
    for holder, over in taken.items():
        kept = known.get(holder, HeldEvents())
        events = kept.events
        if over is None:
            changes.dropped += [(holder, one) for one in events]
            continue
        event_id, by = over
        following = _course_of(ArmedHold(uuid7(), by), events)
        if following is None:
            _foreign(holder, events, changes)
            continue
        changes.dropped += [(holder, one) for one in events[: up_to(events, by.until)]]
        if len(following.holds) > 1:
            changes.armed.append(_hold(holder, event_id, following.holds[1], None, now))
    await tx.change_holds(changes)
    return changes.armed


def compacted(
    known: Mapping[Holder, HeldEvents], gone: Container[Holder], until: datetime
) -> HoldChanges:
    """Drop what can change nothing any more, where no event up to a time is still to come.

    All is dropped of what is `gone`: no trigger asks for it.
    """
    changes = HoldChanges([], [], [], [])
    for holder, kept in known.items():
        if holder in gone:
            changes.dropped += [(holder, one) for one in kept.events]
            continue
        if _course_of(kept.hold, kept.events) is None:
            _foreign(holder, kept.events, changes)
            continue
        events = _in_order(kept.hold, kept.events)
        by = None if kept.hold is None else kept.hold.by
        over = decided(events, up_to(events, until))
        changes.dropped += [(holder, one) for one in over if one is not by]
    return changes


def _in_order(hold: ArmedHold | None, events: Sequence[HoldEvent]) -> list[HoldEvent]:
    return sorted([*events, *([hold.by] if hold else [])], key=lambda one: one.rank)


def _course_of(hold: ArmedHold | None, events: Sequence[HoldEvent]) -> Course | None:
    """Say what comes out; None where the hold is not what comes first: somebody else did that."""
    found = course(_in_order(hold, events))
    return found if [*found.holds[:1]] == ([] if hold is None else [hold.by]) else None


def _foreign(holder: Holder, events: Sequence[HoldEvent], changes: HoldChanges) -> None:
    """Drop events that were decided by a replica that knew nothing of them."""
    _log_of(holder).warning("hold.events_outdated", events=len(events))
    changes.dropped += [(holder, one) for one in events]


def _log_of(holder: Holder) -> structlog.stdlib.BoundLogger:
    bound: structlog.stdlib.BoundLogger = log.bind(
        automation_id=holder.automation_id, trigger_id=holder.trigger_id,
        context_key=holder.context_key,
    )  # fmt: skip
    return bound


def _hold(
    holder: Holder, event_id: str, by: HoldEvent, candidate: Candidate | None, now: datetime
) -> Hold:
    return Hold(
        id=uuid7(), holder=holder, event_id=event_id, by=by.rank, armed_at=now, due_at=by.until,
        event=None if candidate is None else candidate.match.event,
    )  # fmt: skip


class _Change:
    """What is kept for one holder, and what new events change of it."""

    def __init__(self, holder: Holder, known: HeldEvents, changes: HoldChanges) -> None:
        self._holder, self._changes = holder, changes
        self._hold, self._events = known.hold, known.events
        if self._events and _course_of(self._hold, self._events) is None:
            _foreign(holder, self._events, changes)
            self._events = ()

    def take(self, candidates: Sequence[Candidate], now: datetime) -> dict[int, str]:
        """Take new events; give what is told of each, by its `id`."""
        known = _in_order(self._hold, self._events)
        ranks = {one.rank for one in known}
        new: _New = {}
        for one in candidates:
            what = _hold_event(one)
            if what.rank not in ranks:
                new.setdefault(what.rank, (one, what))
        events = sorted([*known, *(what for _, what in new.values())], key=lambda one: one.rank)
        found = course(events)
        parts = {one.rank: part for one, part in zip(events, found.parts, strict=True)}
        anew = self._arm(found.holds[0] if found.holds else None, new, parts, now)
        self._keep(events, new, parts)
        return {id(one): _detail(one, parts[_rank(one)], new, anew) for one in candidates}

    def _arm(
        self, first: HoldEvent | None, new: _New, parts: Mapping[Rank, Played], now: datetime
    ) -> HoldEvent | None:
        """Have the first hold as the timer; give what arms it anew, of what was kept."""
        before = self._hold
        if before is not None and (first is None or first.rank != before.by.rank):
            waits = parts[before.by.rank].part != "ended"
            self._changes.ended.append(EndedHold(before, waits))
            self._hold = None
        if first is None or self._hold is not None:
            return None
        candidate = new[first.rank][0] if first.rank in new else None
        event_id = next(one.match.event.id for one, _ in new.values())
        armed = _hold(self._holder, event_id, first, candidate, now)
        self._changes.armed.append(armed)
        self._hold = ArmedHold(armed.id, first)
        return first if candidate is None else None

    def _keep(self, events: Sequence[HoldEvent], new: _New, parts: Mapping[Rank, Played]) -> None:
        """Keep all but the one of the timer, as far as there is room."""
        first = None if self._hold is None else self._hold.by.rank
        rows = [one for one in events if one.rank != first]
        beyond = beyond_bounds(rows)
        over = set[Rank]()
        if beyond:
            last = rows[beyond - 1]
            place = next(at for at, one in enumerate(events) if one is last) + 1
            over = {one.rank for one in decided(events, place)}
            if over:
                _log_of(self._holder).warning("hold.events_crowded", events=len(over))
            self._changes.dropped += [
                (self._holder, one) for one in rows if one.rank in over and one.rank not in new
            ]
        for rank, (candidate, what) in new.items():
            if rank != first and rank not in over:
                starts = what.due_at is not None and parts[rank].part != "ended"
                event = candidate.match.event if starts else None
                self._changes.kept.append(KeptEvent(self._holder, what, event))


def _rank(candidate: Candidate) -> Rank:
    return candidate.match.event.time, candidate.match.event.sequence


def _hold_event(candidate: Candidate) -> HoldEvent:
    event = candidate.match.event
    if candidate.cancels:
        key = (event.context_key or "").encode("utf-8", "surrogatepass")
        return HoldEvent(time=event.time, sequence=event.sequence, size=len(key))
    due_at = event.time + timedelta(seconds=candidate.hold_seconds)
    return HoldEvent(time=event.time, sequence=event.sequence, due_at=due_at, size=event.size)


def _detail(candidate: Candidate, played: Played, new: _New, anew: HoldEvent | None) -> str:
    """Say what a new event does, by all that is known; `anew`: what it lets arm the hold."""
    match played.part:
        case "arms":
            return f"armed for {candidate.hold_seconds:g} s"
        case "ended":
            armed, by = f"armed for {candidate.hold_seconds:g} s", played.other
            if by is None or by.rank in new:
                return armed
            return f"{armed}, and cancelled by an event of {iso(by.time)}, which was handled before"
        case "ignored":
            return "armed already: the first deadline and payload stay"
        case "cancels" if anew is not None:
            return f"disarmed by the cancel filter, and armed by an event of {iso(anew.time)}"
        case "cancels":
            return "disarmed by the cancel filter"
        case "nothing" if played.other is not None:
            return "cancelled after the deadline: the hold ends as it is"
        case "nothing":
            return "cancelled, and nothing was armed"
        case _:
            assert_never(played.part)
