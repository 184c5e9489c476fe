"""The way of an event, on one screen: from bytes to runs, and what the bus shall do with it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog

from lockstep import gate, launch, matching, wake
from lockstep.matching import Index, Miss
from lockstep.model.errors import DataRefused
from lockstep.model.messages import Message
from lockstep.model.program import Expression
from lockstep.model.run_events import run_event
from lockstep.model.runs import Birth, Event, EventRow, Firing, Poison, RunState
from lockstep.model.verdicts import Accept, Verdict
from lockstep.ports import Clock, Transaction

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the way of an event passes through."""

    decode: Callable[[Message], Event | Poison]
    transaction: Callable[[], AbstractAsyncContextManager[Transaction]]
    index: Index
    walkers: Walkers
    compile_filter: Callable[[str], Expression]
    woken: Callable[[Sequence[Firing]], None]
    report: Callable[[Sequence[EventRow]], None]
    clock: Clock
    prefix: str


async def receive(batch: Sequence[Message], parts: Parts) -> list[tuple[Message, Verdict | Poison]]:
    """Take what is there from bytes to runs, and say what becomes of each message.

    Raises:
        Unavailable: The store is away: nothing is acknowledged, all of it comes again.
    """
    decoded = [parts.decode(message) for message in batch]
    events = [event for event in decoded if isinstance(event, Event)]
    poison = [found for found in decoded if isinstance(found, Poison)]
    poison += await _store(events, parts)
    refused = {id(found.message) for found in poison}
    accepted = [(event.message, Accept()) for event in events if id(event.message) not in refused]
    return [*accepted, *((found.message, found) for found in poison)]


async def _store(events: Sequence[Event], parts: Parts) -> list[Poison]:
    """Store a batch; split it where it holds an event that cannot be stored, and name that one."""
    if not events:
        return []
    try:
        await _transact(events, parts)
    except DataRefused as error:
        if len(events) == 1:
            return [Poison(events[0].message, str(error))]
        log.warning("batch.refused", events=len(events), error=str(error))
        middle = len(events) // 2
        return [*await _store(events[:middle], parts), *await _store(events[middle:], parts)]
    return []


async def _transact(events: Sequence[Event], parts: Parts) -> None:
    places = 0
    births: list[Birth] = []
    firings: Sequence[Firing] = ()
    try:
        # Locks: receipts, gates, automations, runs, waits; always in this order.
        async with parts.transaction() as tx:
            new = await tx.take_receipts(events)
            await parts.index.at_least(await tx.revision())
            now = parts.clock.now()
            fresh = [event for event in events if event.delivery in new]
            # Judged before runs are launched: a wait of theirs is not satisfied by its own event.
            satisfied = await wake.satisfied(fresh, parts.compile_filter, now, tx)
            hits, misses = matching.hits(fresh, parts.index, now)
            admissions = await gate.admit(hits, tx)
            places = parts.walkers.reserve(sum(1 for a in admissions if a.refusal is None))
            births = await launch.create(admissions, places, now, tx)
            if satisfied:
                firings = await tx.fire(satisfied, now)
            told = [*_refusals(births, parts), *_warnings(misses, parts)]
            if told:
                await tx.add_events(told)
    except BaseException:
        parts.walkers.offer([], places)
        raise
    # Only now: every row is committed, and a redelivery finds its receipt.
    parts.walkers.offer([launch.state(b) for b in births if b.status == "running"], places)
    if any(birth.status == "pending" for birth in births):
        parts.walkers.expect_ready()
    parts.woken(firings)
    parts.report(told)


def _refusals(births: Sequence[Birth], parts: Parts) -> list[EventRow]:
    return [
        run_event(parts.prefix, launch.state(b), 1, "skipped", "skipped", b.at, reason=b.reason)
        for b in births
        if b.status == "skipped"
    ]


def _warnings(misses: Sequence[Miss], parts: Parts) -> list[EventRow]:
    """Tell ops of triggers that could not be judged: there is no run that could say it."""
    rows = []
    for miss in misses:
        log.warning(
            "trigger.failed",
            automation_id=miss.automation.id,
            trigger_id=miss.trigger.id,
            event_id=miss.event.id,
            error=miss.error,
        )
        rows.append(matching.warning(miss, parts.prefix, parts.clock.now()))
    return rows
