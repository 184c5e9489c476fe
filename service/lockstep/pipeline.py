"""The way of an event, on one screen: from bytes to runs, and what the bus shall do with it."""

from collections.abc import Awaitable, Callable, Sequence, Set
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog

from lockstep import gate, launch, matching, wake
from lockstep.matching import Index
from lockstep.model.errors import DataRefused
from lockstep.model.matches import Birth, Hit, Hold, Judgement, Match, Past
from lockstep.model.messages import Message
from lockstep.model.program import Expression
from lockstep.model.run_events import run_event
from lockstep.model.runs import (
    Automation,
    Due,
    Ended,
    Event,
    EventRow,
    Firing,
    Poison,
    RunState,
    Satisfied,
    StepKey,
)
from lockstep.model.verdicts import Accept, Verdict
from lockstep.ports import Clock, Meter, Transaction

log = structlog.get_logger()


class Walkers(Protocol):
    """The walks of this worker."""

    def reserve(self, wanted: int) -> int:
        """Hold up to `wanted` free places; give how many."""
        ...

    def offer(self, runs: Sequence[RunState], reserved: int) -> None:
        """Walk these, on places that were reserved; give back the places that are left."""
        ...

    def expect_ready(self) -> None:
        """Say that there are ready runs without an owner."""
        ...


class Endings(Protocol):
    """Ends runs from outside."""

    async def replace(self, run_ids: Sequence[UUID], tx: Transaction) -> Sequence[Ended]:
        """Cancel runs that newer ones replace."""
        ...

    async def announce(self, ended: Sequence[Ended]) -> None:
        """Stop what executes them, and publish their last events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the way of an event passes through."""

    decode: Callable[[Message], Event | Poison]
    transaction: Callable[[], AbstractAsyncContextManager[Transaction]]
    index: Index
    events_state: Callable[[], int]  # another one after each change of what events mean
    walkers: Walkers
    endings: Endings
    compile_filter: Callable[[str], Expression]
    known_steps: Callable[[Sequence[StepKey]], Awaitable[Set[StepKey]]]
    woken: Callable[[Sequence[Firing]], None]
    armed: Callable[[Sequence[Hold], Sequence[UUID], Sequence[Due]], None]
    report: Callable[[Sequence[EventRow]], None]
    note: Callable[[Sequence[Judgement]], None]
    clock: Clock
    meter: Meter
    prefix: str


@dataclass(slots=True)
class Decided:
    """What comes out of the gates before the mode, in one transaction."""

    hits: Sequence[Hit] = ()
    satisfied: Sequence[Satisfied] = ()
    judged: list[Judgement] = field(default_factory=list)
    armed: Sequence[Hold] = ()
    disarmed: Sequence[UUID] = ()
    ticking: Sequence[Due] = ()  # the next ticks of schedules


class Outdated(Exception):
    """Events were decoded by types that have changed since: decode them again."""


async def receive(batch: Sequence[Message], parts: Parts) -> list[tuple[Message, Verdict | Poison]]:
    """Take what is there from bytes to runs, and say what becomes of each message.

    Raises:
        Unavailable: The store is away: nothing is acknowledged, all of it comes again.
    """
    while True:
        state = parts.events_state()
        decoded = [(message, parts.decode(message)) for message in batch]
        poison = [found for _, found in decoded if isinstance(found, Poison)]
        if poison:
            await parts.index.refresh()  # their types may have been registered a moment ago
        if parts.events_state() != state:
            continue
        messages = {id(found): message for message, found in decoded if isinstance(found, Event)}
        events = [found for _, found in decoded if isinstance(found, Event)]
        refused = list(await wake.strangers(events, parts.known_steps))
        strange = {id(event) for event, _ in refused}
        try:
            storable = [event for event in events if id(event) not in strange]
            refused += await _store(storable, state, parts)
        except Outdated:
            continue
        break
    poison += [Poison(messages[id(event)], reason) for event, reason in refused]
    poisoned = {id(found.message) for found in poison}
    accepted = [(message, Accept()) for message in batch if id(message) not in poisoned]
    return [*accepted, *((found.message, found) for found in poison)]


async def start(
    automation_id: str, make: Callable[[Automation | None], Hit], parts: Parts
) -> list[Birth]:
    """Start a run without an event: filter, window, hold and conditions are passed over.

    `make` is given the automation as it is in force, None if it is disabled or gone.
    """

    async def decide(tx: Transaction) -> Decided:
        await parts.index.at_least(await tx.revision())
        hit = make(parts.index.automation(automation_id))
        await tx.lock_gates([gate.gate_of(hit)])
        return Decided([hit])

    return await commit(decide, parts)


async def retry(
    run_id: UUID, make: Callable[[Past | None, Automation | None], Hit], parts: Parts
) -> list[Birth]:
    """Start a run for the event of another one.

    `make` is given that run, None if there is none, and its automation as it is in force.
    """

    async def decide(tx: Transaction) -> Decided:
        past = await tx.past_run(run_id)
        await parts.index.at_least(await tx.revision())
        hit = make(past, parts.index.automation(past.automation_id) if past else None)
        await tx.lock_gates([gate.gate_of(hit)])
        return Decided([hit])

    return await commit(decide, parts)


async def _store(events: Sequence[Event], state: int, parts: Parts) -> list[tuple[Event, str]]:
    """Store a batch; split it where it holds an event that cannot be stored, and name that one."""
    if not events:
        return []
    try:
        await commit(partial(_taken, events, state, parts), parts)
    except DataRefused as error:
        if len(events) == 1:
            return [(events[0], str(error))]
        log.warning("batch.refused", events=len(events), error=str(error))
        middle = len(events) // 2
        first = await _store(events[:middle], state, parts)
        return [*first, *await _store(events[middle:], state, parts)]
    return []


async def _taken(events: Sequence[Event], state: int, parts: Parts, tx: Transaction) -> Decided:
    """Take events that are new through waits, filters, windows and holds."""
    new = await tx.take_receipts(events)
    await parts.index.at_least(await tx.revision())
    if parts.events_state() != state:
        raise Outdated
    now = parts.clock.now()
    fresh = [event for event in events if event.delivery in new]
    # Judged before runs are launched: a wait of theirs is not satisfied by its own event.
    satisfied = await wake.satisfied(fresh, parts.compile_filter, now, tx)
    satisfied += await wake.results(fresh, tx)
    matches, refused = matching.matches(fresh, parts.index, now)
    decided = await through(matches, now, tx)
    decided.satisfied = satisfied
    decided.judged = [*refused, *decided.judged]
    return decided


async def through(matches: Sequence[Match], now: datetime, tx: Transaction) -> Decided:
    """Lock what these ask for, and take them through windows, holds and what follows a window."""
    if not matches:
        return Decided()
    await tx.lock_gates(sorted(lock_names(matches)))
    counted, uncounted = await matching.windows.counted(matches, tx)
    hits, held, armed, disarmed = await matching.holds.held(counted, now, tx)
    judged = [*uncounted, *held]
    passed = []
    for hit in hits:
        # Without a window in between they were judged with the filter.
        failed = matching.meets_conditions(hit, now) if hit.trigger.window is not None else None
        if failed is None:
            passed.append(hit)
        else:
            judged.append(failed)
    return Decided(passed, (), judged, armed, disarmed)


def lock_names(matches: Sequence[Match]) -> set[str]:
    """Name all that must be locked before these are decided: gates, counters, holds."""
    names = {gate.gate_of(match.hit) for match in matches}
    names |= {matching.windows.lock_name(m) for m in matches if m.hit.trigger.window is not None}
    names |= {matching.holds.lock_name(m.hit) for m in matches if m.hit.trigger.hold is not None}
    return names


async def commit(decide: Callable[[Transaction], Awaitable[Decided]], parts: Parts) -> list[Birth]:
    """Decide and launch in one transaction, then let all hear of it.

    Locks: receipts, gates (windows and holds among them), automations, runs, waits; always in
    this order.
    """
    places = 0
    try:
        async with parts.transaction() as tx:
            decided = await decide(tx)
            admissions, replaced = await gate.admit(decided.hits, tx, parts.clock)
            places = parts.walkers.reserve(sum(1 for a in admissions if a.outcome == "start"))
            births = await launch.create(admissions, places, parts.clock.now(), tx)
            if replaced and decided.satisfied:
                await tx.lock_runs(replaced, [one.wait.id for one in decided.satisfied])
            ended = await parts.endings.replace(replaced, tx) if replaced else ()
            firings: Sequence[Firing] = ()
            if decided.satisfied:
                by_run = sorted(decided.satisfied, key=lambda one: one.wait.run_id)
                satisfied = [(one.wait.id, one.event.body) for one in by_run]
                firings = await tx.fire(satisfied, parts.clock.now())
            told = [*_unstarted(births, parts), *_warnings(decided.judged, parts)]
            if told:
                await tx.add_events(told)
    except BaseException:
        parts.walkers.offer([], places)
        raise
    # Only now: every row is committed, and a redelivery finds its receipt.
    parts.walkers.offer([launch.state(b) for b in births if b.status == "running"], places)
    if any(birth.status == "pending" and not birth.queued for birth in births):
        parts.walkers.expect_ready()
    parts.woken(firings)
    parts.armed(decided.armed, decided.disarmed, decided.ticking)
    parts.report(told)
    for birth in births:
        if birth.status in {"skipped", "cancelled"}:
            parts.meter.run_ended(birth.status, None)
    parts.note([*decided.judged, *_wakes(decided.satisfied, firings)])
    await parts.endings.announce(ended)
    return births


def _unstarted(births: Sequence[Birth], parts: Parts) -> list[EventRow]:
    """Tell ops of runs that are over before they began: refused, or replaced by a newer event."""
    return [
        run_event(parts.prefix, launch.state(b), 1, b.status, b.status, b.at, reason=b.reason)
        for b in births
        if b.status in {"skipped", "cancelled"}
    ]


def _warnings(judged: Sequence[Judgement], parts: Parts) -> list[EventRow]:
    """Tell ops of triggers that could not be judged: there is no run that could say it."""
    rows = []
    for one in judged:
        if one.hit is None:
            continue
        log.warning(
            "trigger.failed",
            automation_id=one.automation_id,
            trigger_id=one.trigger_id,
            event_id=one.event.id,
            gate=one.gate,
            error=one.detail,
        )
        rows.append(matching.warning(one, one.hit, parts.prefix, parts.clock.now()))
    return rows


def _wakes(satisfied: Sequence[Satisfied], firings: Sequence[Firing]) -> list[Judgement]:
    """Say which runs an event has woken."""
    fired = {firing.id for firing in firings}
    return [
        Judgement(
            one.event,
            one.wait.automation_id,
            "",
            "wait",
            f"woke run {one.wait.run_id} at {one.wait.path}",
        )
        for one in satisfied
        if one.wait.id in fired
    ]
