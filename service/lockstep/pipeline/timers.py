"""A way to runs: timers of triggers. Holds that ended, ticks of schedules."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeAlias
from uuid import UUID

import msgspec
import structlog

from lockstep import gate, matching
from lockstep import schedule as schedules
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate, Decision
from lockstep.model.errors import RenderError
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.parked import Row, why
from lockstep.model.program import FILTER_SECONDS, Expression, Program, SharedScope
from lockstep.model.run_events import iso
from lockstep.model.timers import StoredTimer
from lockstep.model.waits import Due
from lockstep.pipeline.judging import Outdated, catch_up, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.windows_and_holds import lock_names, pass_windows_and_holds
from lockstep.ports.apart import set_apart
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
        await set_apart(sorted(timer_ids), self._start, self._park)

    async def _start(self, timer_ids: Sequence[UUID]) -> None:
        left = timer_ids
        while left:
            ringing = _Ringing(left, self._parts)
            await commit_judged(ringing, self._parts)
            # Of holds of large events only the first ones are read at once.
            left = [one for one in left if ringing.last is not None and one > ringing.last]

    async def _park(self, timers: Sequence[Row]) -> None:
        async with self._parts.transactions.transaction() as tx:
            await tx.park_timers(timers)


class _Ticked(msgspec.Struct, frozen=True):
    """What a schedule fires, and when it is due next."""

    timer: StoredTimer
    candidates: list[Candidate]
    refused: list[Decision]
    following: datetime | None
    value: bool | None


class _Held(msgspec.Struct, frozen=True):
    """The match of a hold that has ended, and the condition that refuses it."""

    match: TriggerMatch
    unmet: Decision | None


class _Unfit(msgspec.Struct, frozen=True):
    """Why a timer cannot be judged here."""

    reason: str


_Rung: TypeAlias = _Ticked | _Held | _Unfit | None
"""None for what its automation does not ask for any more."""


class _Ringing:
    """A `pipeline.judging.Judging`: judges what is due by its automation as it is now."""

    def __init__(self, timer_ids: Sequence[UUID], parts: PipelineParts) -> None:
        self._ids, self._parts = timer_ids, parts
        self._timers: Sequence[StoredTimer] = ()
        self.last: UUID | None = None  # of those that were read, which may be the first ones only
        self._unread: Sequence[Row] = ()
        self._rung: dict[UUID, tuple[Program | None, _Rung]] = {}

    async def prepare(self) -> None:
        """See `pipeline.judging.Judging`."""
        now = self._parts.clock.now()
        stored, self._unread = await self._parts.transactions.timers(self._ids)
        read = [*(timer.id for timer in stored), *(timer_id for timer_id, _ in self._unread)]
        self.last = max(read, default=None)
        self._timers = [timer for timer in stored if timer.due_at <= now]
        await self._judge(now)

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """Take what is due, each once. See `pipeline.judging.Judging`."""
        revision = await tx.revision()
        await catch_up(self._parts.index, revision, is_last=is_last)
        now = self._parts.clock.now()
        if self._unjudged():
            if not is_last:
                raise Outdated(revision)
            await self._judge(now)
        rung = {timer.id: self._rung[timer.id][1] for timer in self._timers}
        unfit = [(name, one.reason) for name, one in rung.items() if isinstance(one, _Unfit)]
        held = {name: one for name, one in rung.items() if isinstance(one, _Held)}
        ticked = [one for one in rung.values() if isinstance(one, _Ticked)]
        stale = [timer.id for timer in self._timers if timer.event and rung[timer.id] is None]
        names = {gate.queue_key_of(one.match) for one in held.values()}
        names |= {matching.holds.lock_name(one.match) for one in held.values()}
        names |= lock_names([candidate for one in ticked for candidate in one.candidates])
        # Keys, then automations, then timers: as everywhere.
        await tx.lock_keys(sorted(names))
        await tx.lock_automations(sorted({timer.automation_id for timer in self._timers}))
        if unfit or self._unread:
            await tx.park_timers([*self._unread, *unfit])
        taken = await tx.take_holds([*held, *stale], now)
        moved = [one for one in ticked if await _moves(one, tx)]
        decided = await pass_windows_and_holds(
            [candidate for one in moved for candidate in one.candidates], now, tx
        )
        ended = [one for name, one in held.items() if name in taken]
        decided.matches = [
            *decided.matches, *(one.match for one in ended if one.unmet is None)
        ]  # fmt: skip
        decided.judged += [judged for one in moved for judged in one.refused]
        decided.judged += [one.unmet for one in ended if one.unmet is not None]
        decided.disarmed = [*decided.disarmed, *taken]
        decided.ticking = [
            Due(one.timer.id, "schedule", one.following)
            for one in moved
            if one.following is not None
        ]
        return decided

    async def _judge(self, now: datetime) -> None:
        for timer in self._unjudged():
            automation = self._parts.index.automation(timer.automation_id)
            begun = time.thread_time_ns()
            rung = _rung(timer, automation, self._parts, now)
            self._rung[timer.id] = automation.program if automation else None, rung
            spent = time.thread_time_ns() - begun
            await self._parts.pace.took(timer.automation_id, "", spent)

    def _unjudged(self) -> list[StoredTimer]:
        """Give what was not judged by the program that is in force."""
        found = []
        for timer in self._timers:
            automation = self._parts.index.automation(timer.automation_id)
            program = automation.program if automation is not None else None
            if timer.id not in self._rung or self._rung[timer.id][0] is not program:
                found.append(timer)
        return found


def _rung(
    timer: StoredTimer, automation: Automation | None, parts: PipelineParts, now: datetime
) -> _Rung:
    """Say what a timer that is due gives; nothing if its trigger is gone, or is another now."""
    if automation is None:
        reason = parts.index.unreadable().get(timer.automation_id)
        return None if reason is None else _Unfit(reason)
    if timer.event is None:
        try:
            return _ticked(timer, automation, parts, now)
        except Exception as error:  # noqa: BLE001 - such as a zone that this host does not have
            return _Unfit(why(error))
    triggers = automation.program.triggers
    rule = next((t for t in triggers if t.id == timer.trigger_id and t.hold), None)
    if rule is None:
        return None
    match = TriggerMatch(timer.event, automation, rule)
    return _Held(match, matching.meets_conditions(match, timer.due_at))


def _ticked(
    timer: StoredTimer, automation: Automation, parts: PipelineParts, now: datetime
) -> _Ticked | None:
    """Say what a schedule that is due fires; nothing if it was changed a moment ago."""
    schedule = _schedule(automation, timer)
    if schedule is None:
        return None  # the transaction of the change takes its row away
    holds = partial(_holds, parts.compile_filter)
    found = schedules.ticks(schedule, timer.due_at, now, timer.last_value, holds)
    judged = [matching.judge(_match(automation, timer, at, now), now) for at in found.fire]
    return _Ticked(
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
        return compile_filter(text).holds(SharedScope({"now": iso(now)}, FILTER_SECONDS))
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
