"""A way to runs: timers of triggers. Holds that ended, ticks of schedules."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import msgspec
import structlog

from lockstep import gate, matching
from lockstep import schedule as schedules
from lockstep.model.automations import Automation
from lockstep.model.decisions import Decision
from lockstep.model.errors import RenderError
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import Candidate, TriggerMatch
from lockstep.model.program import Expression
from lockstep.model.run_events import iso
from lockstep.model.timers import StoredTimer
from lockstep.model.waits import Due
from lockstep.pipeline.commit import commit
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.windows_and_holds import lock_names, pass_windows_and_holds
from lockstep.ports.pipeline import Transaction
from lockstep.schedule import Schedule
from lockstep_schemas.events import Actor

log = structlog.get_logger()


class TriggerTimersDue:
    """Starts the runs of timers whose time has come."""

    def __init__(self, parts: PipelineParts) -> None:
        self._parts = parts

    async def fire(self, due: Sequence[Due]) -> None:
        """Start what a timer of this worker or the sweep has found. Raise Unavailable."""
        await self.ring([one.id for one in due])

    async def ring(self, timer_ids: Sequence[UUID]) -> None:
        """Start what is due of these; what is not, or is gone, stays as it is.

        Raises:
            Unavailable: The store is away; they stay due.
        """
        if timer_ids:
            await commit(partial(_expired, timer_ids, self._parts), self._parts)


async def _expired(timer_ids: Sequence[UUID], parts: PipelineParts, tx: Transaction) -> Decided:
    """Take what is due, each once; judged by the automation as it is now."""
    await parts.index.at_least(await tx.revision())
    now = parts.clock.now()
    timers = [timer for timer in await tx.timers(timer_ids) if timer.due_at <= now]
    matches, stale = _held([timer for timer in timers if timer.event is not None], parts)
    ticked = [one for t in timers if t.event is None for one in _ticked(t, parts, now)]
    names = {gate.queue_key_of(match) for match in matches.values()}
    names |= {matching.holds.lock_name(match) for match in matches.values()}
    names |= lock_names([candidate for one in ticked for candidate in one.candidates])
    # Keys, then automations, then timers: as everywhere.
    await tx.lock_keys(sorted(names))
    await tx.lock_automations(sorted({timer.automation_id for timer in timers}))
    taken = await tx.take_holds([*matches, *stale], now)
    moved = [one for one in ticked if await _moves(one, tx)]
    decided = await pass_windows_and_holds(
        [candidate for one in moved for candidate in one.candidates], now, tx
    )
    decided.judged += [judged for one in moved for judged in one.refused]
    decided.disarmed = [*decided.disarmed, *taken]
    decided.ticking = [
        Due(one.timer.id, "schedule", one.following) for one in moved if one.following is not None
    ]
    passed = list(decided.matches)
    for timer_id, match in matches.items():
        if timer_id in taken:
            failed = matching.meets_conditions(match, now)
            if failed is None:
                passed.append(match)
            else:
                decided.judged.append(failed)
    decided.matches = passed
    return decided


def _held(
    holds: Sequence[StoredTimer], parts: PipelineParts
) -> tuple[dict[UUID, TriggerMatch], list[UUID]]:
    """Find what holds are for; those whose trigger is gone, or holds no more, are stale."""
    matches: dict[UUID, TriggerMatch] = {}
    stale = []
    for timer in holds:
        automation = parts.index.automation(timer.automation_id)
        triggers = automation.program.triggers if automation is not None else ()
        rule = next((t for t in triggers if t.id == timer.trigger_id and t.hold), None)
        if automation is None or rule is None or timer.event is None:
            stale.append(timer.id)
        else:
            matches[timer.id] = TriggerMatch(timer.event, automation, rule)
    return matches, stale


class _Ticked(msgspec.Struct):
    """What a schedule fires, and when it is due next."""

    timer: StoredTimer
    candidates: list[Candidate]
    refused: list[Decision]
    following: datetime | None
    value: bool | None


def _ticked(timer: StoredTimer, parts: PipelineParts, now: datetime) -> Iterator[_Ticked]:
    """Say what a schedule that is due fires; nothing if it was changed a moment ago."""
    automation = parts.index.automation(timer.automation_id)
    schedule = None if automation is None else _schedule(automation, timer)
    if automation is None or schedule is None:
        return  # the transaction of the change takes its row away
    holds = partial(_holds, parts.compile_filter)
    found = schedules.ticks(schedule, timer.due_at, now, timer.last_value, holds)
    judged = [matching.judge(_match(automation, timer, at, now), now) for at in found.fire]
    yield _Ticked(
        timer,
        [one for one in judged if isinstance(one, Candidate)],
        [one for one in judged if isinstance(one, Decision)],
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
        log.info("trigger.failed", expression=text, error=error)
        return False


def _match(
    automation: Automation, timer: StoredTimer, fired_at: datetime, now: datetime
) -> TriggerMatch:
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
    return TriggerMatch(event, automation, rule)
