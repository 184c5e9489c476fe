"""A way to runs: timers of triggers. Holds that ended, ticks of schedules."""

import time
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
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
from lockstep.model.program import (
    FILTER_SECONDS,
    Expression,
    Program,
    SharedScope,
    TriggerRule,
)
from lockstep.model.run_events import iso
from lockstep.model.timers import Hold, Holder, HoldEvent, StoredTimer
from lockstep.model.waits import Due
from lockstep.pipeline.judging import Outdated, catch_up, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.windows_and_holds import lock_names, pass_windows_and_holds
from lockstep.ports.apart import set_apart
from lockstep.ports.pipeline import Transaction
from lockstep.ports.unhandled import Question
from lockstep.schedule import Schedule
from lockstep_schemas.events import Actor

Go: TypeAlias = Callable[[Sequence[UUID]], Awaitable[None]]
"""Starts timers that nothing can change any more."""

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

    async def _go(self, timer_ids: Sequence[UUID]) -> None:
        """Start these: no event can change them any more, or they were held up for too long."""
        start = partial(self._start, sure=frozenset(timer_ids))
        await set_apart(sorted(timer_ids), start, self._park)

    async def _start(self, timer_ids: Sequence[UUID], sure: frozenset[UUID] = frozenset()) -> None:
        left = timer_ids
        while left:
            ringing = _Ringing(left, self._parts, self._go, sure)
            await commit_judged(ringing, self._parts)
            # Of holds of large events only the first ones are read at once.
            rest = [one for one in left if ringing.last is not None and one > ringing.last]
            left = [*rest, *ringing.following]

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

    def __init__(
        self, timer_ids: Sequence[UUID], parts: PipelineParts, go: Go, sure: frozenset[UUID]
    ) -> None:
        self._ids, self._parts, self._go = timer_ids, parts, go
        self.following: Sequence[UUID] = ()  # holds that were armed, and are due by now
        self._cleared = set(sure)  # holds that no event can change any more
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
        self._timers = await self._clear([timer for timer in stored if timer.due_at <= now])
        await self._judge(now)

    async def _clear(self, due: Sequence[StoredTimer]) -> Sequence[StoredTimer]:
        """Leave out the holds that an event could still change; they come again when none can."""
        free, asked = list[StoredTimer](), dict[UUID, StoredTimer]()
        questions = list[Question]()
        for timer in due:
            automation = self._parts.index.automation(timer.automation_id)
            rule = None if automation is None else _rule(automation, timer)
            is_sure = timer.id in self._cleared
            if is_sure or timer.event is None or not rule or not _is_of_stream(rule):
                free.append(timer)
            else:
                asked[timer.id] = timer
                key = timer.event.context_key
                questions.append(
                    Question(id=timer.id, event_id=rule.event, context_key=key, until=timer.due_at)
                )
        if questions:
            cleared = await self._parts.expiring.cleared(questions, self._go)
            free += [timer for name, timer in asked.items() if name in cleared]
            self._cleared |= cleared
        return sorted(free, key=lambda one: one.id)

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """Take what is due, each once. See `pipeline.judging.Judging`."""
        if not self._timers and not self._unread:
            return Decided()
        revision = await tx.revision()
        await catch_up(self._parts.index, revision, is_last=is_last)
        now = self._parts.clock.now()
        if self._unjudged():
            if not is_last:
                raise Outdated(revision)
            await self._judge(now)
        rung = {timer.id: self._rung[timer.id][1] for timer in self._timers if self._is_sure(timer)}
        unfit = [(name, one.reason) for name, one in rung.items() if isinstance(one, _Unfit)]
        held = {name: one for name, one in rung.items() if isinstance(one, _Held)}
        ticked = [one for one in rung.values() if isinstance(one, _Ticked)]
        await self._lock([*held.values()], ticked, tx)
        if unfit or self._unread:
            await tx.park_timers([*self._unread, *unfit])
        taken, following = await self._take(held, now, tx)
        moved = [one for one in ticked if await _moves(one, tx)]
        decided = await pass_windows_and_holds(
            [candidate for one in moved for candidate in one.candidates], now, tx
        )
        ended = [one for name, one in held.items() if name in taken]
        ended.sort(key=lambda one: one.match.rank(now))
        decided.matches = [
            *decided.matches, *(one.match for one in ended if one.unmet is None)
        ]  # fmt: skip
        decided.judged += [judged for one in moved for judged in one.refused]
        decided.judged += [one.unmet for one in ended if one.unmet is not None]
        decided.judged += self._given_up(taken - held.keys())
        decided.armed = [*decided.armed, *following]
        decided.disarmed = [*decided.disarmed, *taken]
        decided.ticking = [
            Due(one.timer.id, "schedule", one.following)
            for one in moved
            if one.following is not None
        ]
        return decided

    async def _lock(
        self, held: Sequence[_Held], ticked: Sequence[_Ticked], tx: Transaction
    ) -> None:
        """Lock keys, then automations; then come timers, as everywhere."""
        names = {gate.queue_key_of(one.match) for one in held}
        names |= {matching.holds.lock_name(_holder(timer)) for timer in self._timers if timer.event}
        names |= lock_names([candidate for one in ticked for candidate in one.candidates])
        await tx.lock_keys(sorted(names))
        await tx.lock_automations(sorted({timer.automation_id for timer in self._timers}))

    async def _take(
        self, held: Mapping[UUID, _Held], now: datetime, tx: Transaction
    ) -> tuple[set[UUID], Sequence[Hold]]:
        """Take the holds that are due, each once, and arm those that follow them."""
        holds = {one.id: one for one in self._timers if one.event is not None}
        due = [
            name
            for name, timer in holds.items()
            if self._is_sure(timer) and not isinstance(self._rung[name][1], _Unfit)
        ]
        taken = await tx.take_holds(due, now)
        over = {_holder(holds[one]): _over(holds[one], held.get(one)) for one in taken}
        following = await matching.holds.followed(over, now, tx)
        self.following = [one.id for one in following if one.due_at <= now]
        return taken, following

    def _given_up(self, taken: Container[UUID]) -> list[Decision]:
        """Say of holds that were taken and start nothing why that is."""
        detail = "disarmed: its trigger is gone, or another by now"
        return [
            Decision(timer.event, timer.automation_id, timer.trigger_id, "for", detail)
            for timer in self._timers
            if timer.id in taken and timer.event is not None
        ]

    def _is_sure(self, timer: StoredTimer) -> bool:
        """Say whether it may end: not if it asks for events only since a moment ago."""
        rung = self._rung[timer.id][1]
        is_held = isinstance(rung, _Held) and _is_of_stream(rung.match.trigger)
        return not is_held or timer.id in self._cleared

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
    rule = _rule(automation, timer)
    if rule is None:
        return None
    match = TriggerMatch(timer.event, automation, rule, held_until=timer.due_at)
    return _Held(match, matching.meets_conditions(match, timer.due_at))


def _rule(automation: Automation, timer: StoredTimer) -> TriggerRule | None:
    """Give the trigger that a timer holds for; None if it is gone, or asks for another event.

    Who changes a trigger disarms its holds. A replica of an earlier version did not.
    """
    rule = matching.holds.rule_of(automation, timer.trigger_id)
    is_its_own = rule is not None and timer.event is not None and timer.event.id == rule.event
    return rule if is_its_own else None


def _is_of_stream(rule: TriggerRule) -> bool:
    """Say whether its events come over the stream: not those of schedules."""
    return rule.event not in schedules.KINDS


def _holder(timer: StoredTimer) -> Holder:
    key = None if timer.event is None else timer.event.context_key
    return Holder(timer.automation_id, timer.trigger_id, key)


def _over(timer: StoredTimer, held: _Held | None) -> tuple[str, HoldEvent] | None:
    """Say what has armed a hold that is over; nothing follows one that nobody asks for any more."""
    if held is None:
        return None
    event = held.match.event
    by = HoldEvent(time=event.time, sequence=event.sequence, due_at=timer.due_at)
    return held.match.trigger.event, by


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
    payload = schedules.with_tick(rule.event, {}, fired_at)
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
