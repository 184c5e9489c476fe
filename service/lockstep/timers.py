"""The other way to runs: timers of triggers. Holds that ended, ticks of schedules."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
import structlog

from lockstep import gate, matching
from lockstep import schedule as schedules
from lockstep.model.errors import RenderError
from lockstep.model.ids import uuid7
from lockstep.model.matches import Hit, Judgement, Match, StoredTimer
from lockstep.model.program import Expression
from lockstep.model.run_events import iso
from lockstep.model.runs import Automation, Due, Event
from lockstep.pipeline import Decided, Parts, commit, lock_names, through
from lockstep.ports import Transaction
from lockstep.schedule import Schedule
from lockstep_schemas.events import Actor

log = structlog.get_logger()


async def expire(timer_ids: Sequence[UUID], parts: Parts) -> None:
    """Start the runs of timers whose time has come; what is not due, or gone, stays as it is.

    Raises:
        Unavailable: The store is away; they stay due.
    """
    if timer_ids:
        await commit(partial(_expired, timer_ids, parts), parts)


async def _expired(timer_ids: Sequence[UUID], parts: Parts, tx: Transaction) -> Decided:
    """Take what is due, each once; judged by the automation as it is now."""
    await parts.index.at_least(await tx.revision())
    now = parts.clock.now()
    timers = [timer for timer in await tx.timers(timer_ids) if timer.due_at <= now]
    hits, stale = _held([timer for timer in timers if timer.event is not None], parts)
    ticked = [one for t in timers if t.event is None for one in _ticked(t, parts, now)]
    names = {gate.gate_of(hit) for hit in hits.values()}
    names |= {matching.holds.lock_name(hit) for hit in hits.values()}
    names |= lock_names([match for one in ticked for match in one.matches])
    # Gates, then automations, then timers: as everywhere.
    await tx.lock_gates(sorted(names))
    await tx.hold_automations(sorted({timer.automation_id for timer in timers}))
    taken = await tx.take_holds([*hits, *stale], now)
    moved = [one for one in ticked if await _moves(one, tx)]
    decided = await through([match for one in moved for match in one.matches], now, tx)
    decided.judged += [judged for one in moved for judged in one.refused]
    decided.disarmed = [*decided.disarmed, *taken]
    decided.ticking = [
        Due(one.timer.id, "schedule", one.following) for one in moved if one.following is not None
    ]
    passed = list(decided.hits)
    for timer_id, hit in hits.items():
        if timer_id in taken:
            failed = matching.meets_conditions(hit, now)
            if failed is None:
                passed.append(hit)
            else:
                decided.judged.append(failed)
    decided.hits = passed
    return decided


def _held(holds: Sequence[StoredTimer], parts: Parts) -> tuple[dict[UUID, Hit], list[UUID]]:
    """Find what holds are for; those whose trigger is gone, or holds no more, are stale."""
    hits: dict[UUID, Hit] = {}
    stale = []
    for timer in holds:
        automation = parts.index.automation(timer.automation_id)
        triggers = automation.program.triggers if automation is not None else ()
        rule = next((t for t in triggers if t.id == timer.trigger_id and t.hold), None)
        if automation is None or rule is None or timer.event is None:
            stale.append(timer.id)
        else:
            hits[timer.id] = Hit(timer.event, automation, rule)
    return hits, stale


class _Ticked(msgspec.Struct):
    """What a schedule fires, and when it is due next."""

    timer: StoredTimer
    matches: list[Match]
    refused: list[Judgement]
    following: datetime | None
    value: bool | None


def _ticked(timer: StoredTimer, parts: Parts, now: datetime) -> Iterator[_Ticked]:
    """Say what a schedule that is due fires; nothing if it was changed a moment ago."""
    automation = parts.index.automation(timer.automation_id)
    schedule = None if automation is None else _schedule(automation, timer)
    if automation is None or schedule is None:
        return  # the transaction of the change takes its row away
    holds = partial(_holds, parts.compile_filter)
    found = schedules.ticks(schedule, timer.due_at, now, timer.last_value, holds)
    judged = [matching.judge(_hit(automation, timer, at, now), now) for at in found.fire]
    yield _Ticked(
        timer,
        [one for one in judged if isinstance(one, Match)],
        [one for one in judged if isinstance(one, Judgement)],
        found.next_due,
        found.last_value,
    )


async def _moves(ticked: _Ticked, tx: Transaction) -> bool:
    """Move a schedule on; who does so first fires its ticks."""
    timer = ticked.timer
    return await tx.move_schedule(timer.id, timer.due_at, ticked.following, ticked.value)


def _schedule(automation: Automation, timer: StoredTimer) -> Schedule | None:
    for rule in automation.program.triggers:
        if rule.id == timer.trigger_id:
            return schedules.schedule_of(rule.event, rule.config)
    return None


def _holds(compile_filter: Callable[[str], Expression], text: str, now: datetime) -> bool:
    """Judge the expression of `automation.template`; one that fails counts as false."""
    try:
        return compile_filter(text).holds({"now": iso(now)})
    except RenderError as error:
        log.info("trigger.failed", expression=text, error=str(error))
        return False


def _hit(automation: Automation, timer: StoredTimer, fired_at: datetime, now: datetime) -> Hit:
    (rule,) = (one for one in automation.program.triggers if one.id == timer.trigger_id)
    payload = {"firedAt": iso(fired_at)}
    event = Event(
        id=rule.event,
        payload=payload,
        body=msgspec.json.encode(payload),
        delivery=f"schedule:{timer.id}:{uuid7()}",
        message_id=None,
        context_key=None,
        actor=Actor(),
        hop=0,
        time=now,
        sequence=0,
    )
    return Hit(event, automation, rule)
