"""Where all ways to a run end: one transaction that decides and launches; then all hear of it."""

from collections.abc import Awaitable, Callable, Sequence

import structlog

from lockstep import gate, launch, matching
from lockstep.model.decisions import Decision
from lockstep.model.new_runs import NewRun
from lockstep.model.outbox import EventRow
from lockstep.model.run_events import run_event
from lockstep.model.waits import Firing, Satisfied, Taken, place_of
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.pipeline import Transaction
from lockstep.ports.places import Reservation

log = structlog.get_logger()


async def commit(
    decide: Callable[[Transaction], Awaitable[Decided]], parts: PipelineParts
) -> list[NewRun]:
    """Decide and launch in one transaction, then let all hear of it.

    Locks: topics, receipts, keys (of queues, windows and holds), automations, runs, waits; always
    in this order.
    """
    reserved = Reservation(0)
    try:
        async with parts.transactions.transaction() as tx:
            decided = await decide(tx)
            if decided.parked:
                await tx.park_events(decided.parked)
            admissions, replaced = await gate.admit(decided.matches, tx, parts.clock)
            reserved = parts.places.reserve(sum(1 for a in admissions if a.outcome == "start"))
            new_runs = await launch.create(admissions, reserved.places, parts.clock.now(), tx)
            woken = [*(one.wait.id for one in decided.satisfied), *decided.looking]
            if decided.looking or (replaced and woken):
                await tx.lock_runs(replaced, woken)
            ended = await parts.terminator.replace(replaced, tx) if replaced else ()
            firings: Sequence[Firing] = ()
            if decided.satisfied:
                by_run = sorted(decided.satisfied, key=lambda one: one.wait.run_id)
                satisfied = [(one.wait.id, one.event.body) for one in by_run]
                firings = await tx.fire(satisfied, parts.clock.now())
                await _keep_taken(decided.satisfied, firings, tx)
            if decided.looking:
                await tx.look_again(decided.looking)
            if decided.incomplete:
                failed = await tx.fail_waits(decided.incomplete, parts.clock.now())
                firings = [*firings, *failed]
            reported = [*_unstarted(new_runs, parts), *_warnings(decided.judged, parts)]
            if reported:
                await tx.add_events(reported)
    except BaseException:
        parts.places.offer([], reserved)  # where the commit is in doubt a sweep finds its runs
        raise
    # Only now: every row is committed, and a redelivery finds its receipt.
    parts.places.offer([launch.state(one) for one in new_runs if one.status == "running"], reserved)
    _tell(decided, new_runs, firings, reported, parts)
    await parts.terminator.announce(ended)
    return new_runs


async def _keep_taken(
    satisfied: Sequence[Satisfied], firings: Sequence[Firing], tx: Transaction
) -> None:
    """Note what waits that look back have taken, so that they do not take it again."""
    looking = [one for one in satisfied if one.wait.since is not None]
    if looking:
        fired = {firing.id for firing in firings}
        await tx.keep_taken(
            [
                Taken(one.wait.run_id, place_of(one.wait.path), one.event.time, one.event.sequence)
                for one in looking
                if one.wait.id in fired
            ]
        )


def _tell(
    decided: Decided,
    new_runs: Sequence[NewRun],
    firings: Sequence[Firing],
    reported: Sequence[EventRow],
    parts: PipelineParts,
) -> None:
    """Let all hear of what is committed."""
    listener = parts.listener
    if new_runs:
        listener.launched(new_runs)
    if firings:
        listener.fired(firings)
    if decided.armed or decided.disarmed or decided.ticking:
        listener.armed(decided.armed, decided.disarmed, decided.ticking)
    if decided.looking:
        listener.looking([*decided.looking])
    if reported:
        listener.reported(reported)
    decisions = [*decided.judged, *_wakes(decided.satisfied, firings)]
    if decisions:
        listener.judged(decisions)


def _unstarted(new_runs: Sequence[NewRun], parts: PipelineParts) -> list[EventRow]:
    """Tell ops of runs that are over before they began: refused, or replaced by a newer event."""
    return [
        run_event(
            parts.prefix, launch.state(one), 1, one.status, one.status, one.at, reason=one.reason
        )
        for one in new_runs
        if one.status in {"skipped", "cancelled"}
    ]


def _warnings(judged: Sequence[Decision], parts: PipelineParts) -> list[EventRow]:
    """Tell ops of triggers that could not be judged: there is no run that could say it."""
    rows = []
    for decision in judged:
        if decision.match is None:
            continue
        log.warning(
            "trigger.failed",
            automation_id=decision.automation_id,
            trigger_id=decision.trigger_id,
            event_id=decision.event.id,
            gate=decision.stage,
            error=decision.detail,
        )
        rows.append(matching.warning(decision, decision.match, parts.prefix, parts.clock.now()))
    return rows


def _wakes(satisfied: Sequence[Satisfied], firings: Sequence[Firing]) -> list[Decision]:
    """Say which runs an event has woken."""
    fired = {firing.id for firing in firings}
    return [
        Decision(
            one.event,
            one.wait.automation_id,
            "",
            "wait",
            f"woke run {one.wait.run_id} at {one.wait.path}",
            run_id=one.wait.run_id,
            path=one.wait.path,
        )
        for one in satisfied
        if one.wait.id in fired
    ]
