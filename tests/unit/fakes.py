"""Small fakes of ports: dictionaries instead of tables and streams."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec

from lockstep.model.admissions import REPLACED, Active, Counted
from lockstep.model.automations import Head, StoredDefinition
from lockstep.model.child_runs import Child
from lockstep.model.decisions import Counter, Decision, Occurrences
from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.matches import Revival
from lockstep.model.new_runs import NewRun, RunToRetry
from lockstep.model.outbox import EventRow
from lockstep.model.parked import Row
from lockstep.model.runs import Checkpoint, Ended, Ending, RunState
from lockstep.model.timers import (
    ArmedHold,
    HeldEvents,
    Hold,
    HoldChanges,
    Holder,
    HoldEvent,
    StoredTimer,
)
from lockstep.model.waits import Awaited, Due, Firing, Rank, Standing, StepResult
from lockstep.ports.cancel import CancelTransaction, Terminator
from lockstep.ports.listeners import Listener
from lockstep.ports.pipeline import Transaction
from lockstep.ports.places import Reservation
from unit.values import NOW, run_state


class Rows:
    """One transaction: what stations read and write, as far as the tests of this folder ask."""

    def __init__(self, calls: list[str] | None = None) -> None:
        self.calls = [] if calls is None else calls  # may be shared with other fakes
        self.enabled = {"a": True, "b": True}
        self.faults: dict[str, BaseException] = {}  # by the call that raises it
        self.held: list[str] = []
        self.active: dict[UUID, Active] = {}
        self.counters: dict[Counter, Sequence[datetime]] = {}
        self.expires: dict[Counter, datetime] = {}
        self.holds: dict[Holder, ArmedHold] = {}
        self.hold_events: dict[Holder, dict[Rank, tuple[HoldEvent, Event | None]]] = {}
        self.payloads: dict[UUID, Event] = {}  # of holds
        self.timer_of: Callable[[Hold], StoredTimer] | None = None  # where both are looked at
        self.waits: list[Awaited] = []
        self.awaited_at_once = 1000  # as many as are read together
        self.asked_results: list[StepResult] = []
        self.warnings: dict[UUID, str] = {}
        self.new_runs: list[NewRun] = []
        self.copied: dict[UUID, Revival] = {}
        self.locked: list[str] = []
        self.receipts: set[str] = set()
        self.topics: list[bytes] = []
        self.recent: list[Event] = []
        self.number = 0  # the revision of the automations
        self.children: dict[tuple[UUID, str], Child] = {}
        self.owns = True  # the set-up of a trigger
        self.timers_stored: dict[UUID, StoredTimer] = {}
        self.timers_at_once = 1000  # as many as are read together
        self.unreadable: dict[UUID, str] = {}  # timers, each with the reason
        self.parked: dict[UUID, str] = {}  # timers, likewise
        self.taken_by_another = False  # timers, a moment ago
        self.parked_events: set[UUID] = set()
        self.on_drop: Callable[[Sequence[UUID]], None] = lambda _: None
        self.past: RunToRetry | None = None
        self.armed: dict[UUID, Awaited] = {}
        self.owner: UUID | None = None  # who executes the runs of waits, and those that are ended
        self.events: list[EventRow] = []
        self.on_create: Callable[[Sequence[NewRun]], None] = lambda _: None

    @property
    def port(self) -> Transaction:
        """It as the port: what is not here, the stations that are shown do not ask."""
        return cast("Transaction", self)

    def called(self, name: str) -> None:
        """Note a call; raise what it is to raise."""
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]

    async def lock_keys(self, keys: Sequence[str]) -> None:
        self.called("lock_keys")
        assert [*keys] == sorted(keys), "gates are locked in one order"
        self.locked += keys

    async def take_receipts(self, events: Sequence[Event]) -> set[str]:
        self.called("take_receipts")
        new = {one.delivery for one in events} - self.receipts
        self.receipts |= new
        return new

    async def drop_parked_events(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        self.called("drop_parked_events")
        self.on_drop(ids)
        return [one for one in ids if one in self.parked_events]

    async def revision(self) -> int:
        self.called("revision")
        return self.number

    async def child(self, run_id: UUID, path: str) -> Child | None:
        self.called("child")
        return self.children.get((run_id, path))

    async def owns_setup(self, automation_id: str, trigger_id: str) -> bool:
        self.called("owns_setup")
        return self.owns

    async def timers(self, ids: Sequence[UUID]) -> tuple[Sequence[StoredTimer], Sequence[Row]]:
        self.called("timers")
        stored = [one for one in ids if one in self.timers_stored and one not in self.parked]
        refused = [(one, self.unreadable[one]) for one in stored if one in self.unreadable]
        found = [self.timers_stored[one] for one in stored if one not in self.unreadable]
        return found[: self.timers_at_once], refused

    async def park_timers(self, refused: Sequence[Row]) -> None:
        self.called("park_timers")
        self.parked |= dict(refused)

    async def take_holds(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        self.called("take_holds")
        if self.taken_by_another:
            return set()
        taken = {one for one in ids if self.timers_stored.pop(one, None) is not None}
        self.holds = {holder: one for holder, one in self.holds.items() if one.id not in taken}
        return taken

    async def move_schedule(
        self, timer_id: UUID, due_at: datetime, following: datetime | None, value: bool | None
    ) -> bool:
        self.called("move_schedule")
        timer = self.timers_stored.get(timer_id)
        if self.taken_by_another or timer is None or timer.due_at != due_at:
            return False
        del self.timers_stored[timer_id]
        if following is not None:
            moved = msgspec.structs.replace(timer, due_at=following, last_value=value)
            self.timers_stored[timer_id] = moved
        return True

    async def run_to_retry(self, run_id: UUID) -> RunToRetry | None:
        self.called("run_to_retry")
        return self.past

    async def lock_runs(self, run_ids: Sequence[UUID], wait_ids: Sequence[UUID]) -> None:
        self.called("lock_runs")

    async def end_runs(self, run_ids: Sequence[UUID], ending: Ending) -> Sequence[Ended]:
        self.called("end_runs")
        found = [one for one in run_ids if self.active.pop(one, None) is not None]
        return [Ended(run_state(one.int), self.owner, [], [], ending) for one in found]

    async def add_events(self, events: Sequence[EventRow]) -> None:
        self.called("add_events")
        self.events += events

    async def fire(
        self, satisfied: Sequence[tuple[UUID, bytes | None]], now: datetime
    ) -> Sequence[Firing]:
        self.called("fire")
        waits = [self.armed.pop(one) for one, _ in satisfied if one in self.armed]
        return [Firing(one.id, one.run_id, "event", True, self.owner, None) for one in waits]

    async def lock_automations(self, ids: Sequence[str]) -> Mapping[str, bool]:
        self.called("lock_automations")
        self.held += ids
        return {one: self.enabled[one] for one in ids if one in self.enabled}

    async def count_active(self, of: Counted) -> Mapping[tuple[str, str | None], int]:
        self.calls.append("count_active")
        runs = self.active.values()
        whole = [(r.automation_id, None) for r in runs if r.automation_id in of.whole]
        return Tally([*whole, *(key for r in runs if (key := _key(r)) in of.keys)])

    async def active_runs(self, of: Counted) -> Sequence[Active]:
        self.calls.append("active_runs")
        runs = self.active.values()
        return [run for run in runs if run.automation_id in of.whole or _key(run) in of.keys]

    async def occurrences(
        self, counters: Sequence[Counter]
    ) -> Mapping[Counter, Sequence[datetime]]:
        self.calls.append("occurrences")
        return {one: self.counters[one] for one in counters if one in self.counters}

    async def keep_occurrences(self, changed: Sequence[Occurrences]) -> None:
        self.calls.append("keep_occurrences")
        for one in changed:
            self.counters[one.counter] = one.times
            self.expires[one.counter] = one.expires_at

    async def held_events(self, holders: Sequence[Holder]) -> Mapping[Holder, HeldEvents]:
        self.calls.append("held_events")
        assert len(set(holders)) == len(holders)
        found = {}
        for one in holders:
            kept = sorted(self.hold_events.get(one, {}).items())
            events = [event for _, (event, _) in kept]
            if events or one in self.holds:
                found[one] = HeldEvents(self.holds.get(one), events)
        return found

    async def change_holds(self, changes: HoldChanges) -> None:
        self.calls.append("change_holds")
        for holder, event in changes.dropped:
            del self.hold_events[holder][event.rank]
        for ended in changes.ended:
            (holder,) = (one for one, hold in self.holds.items() if hold == ended.hold)
            del self.holds[holder]
            self._keep(holder, ended.hold.by, self.payloads.get(ended.hold.id))
        for kept in changes.kept:
            self._keep(kept.holder, kept.what, kept.event)
        for hold in changes.armed:
            assert hold.holder not in self.holds, "two holds are armed for one holder"
            payload = hold.event
            if payload is None:
                _, payload = self.hold_events[hold.holder].pop(hold.by)
            assert payload is not None, "a hold that could start nothing"
            time, sequence = hold.by
            by = HoldEvent(time=time, sequence=sequence, due_at=hold.due_at)
            self.holds[hold.holder] = ArmedHold(hold.id, by)
            self.payloads[hold.id] = payload
            if self.timer_of is not None:
                self.timers_stored[hold.id] = self.timer_of(hold)

    def _keep(self, holder: Holder, what: HoldEvent, payload: Event | None) -> None:
        kept = self.hold_events.setdefault(holder, {})
        assert what.rank not in kept, "an event is kept twice"
        kept[what.rank] = what, payload

    async def awaited(
        self, events: Sequence[Event], after: Awaited | None = None
    ) -> Sequence[Awaited]:
        self.calls.append("awaited")
        waits = sorted(self.waits, key=lambda wait: (wait.place, wait.id))
        rest = [
            one for one in waits if after is None or (one.place, one.id) > (after.place, after.id)
        ]
        page = rest[: self.awaited_at_once]
        if len(page) < len(rest):
            page[-1] = msgspec.structs.replace(page[-1], follows=True)
        return page

    async def standing(self, events: Sequence[Event]) -> Standing:
        self.called("standing")
        waits = sorted(self.waits, key=lambda wait: wait.place)
        return Standing(self.number, [(one.place, one.id) for one in waits])

    async def open_results(self, results: Sequence[StepResult]) -> Sequence[Awaited]:
        self.calls.append("open_results")
        self.asked_results = [*results]
        return self.waits

    async def lock_topics(self, topics: Sequence[bytes], *, alone: bool) -> None:
        self.called("lock_topics")
        assert [*topics] == sorted(set(topics)), "topics are locked in one order"
        assert not alone, "who handles events shares them"
        self.topics += topics

    async def keep_recent(self, events: Sequence[Event], now: datetime) -> None:
        self.called("keep_recent")
        assert now.tzinfo is not None
        self.recent += events

    async def look_again(self, looks: Mapping[UUID, Rank]) -> None:
        self.called("look_again")

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        self.calls.append("warn")
        self.warnings.update(reasons)

    async def create_runs(self, new_runs: Sequence[NewRun]) -> None:
        self.called("create_runs")
        self.on_create(new_runs)
        self.new_runs += new_runs

    def count_as_active(self) -> None:
        """Have the gates count the runs that were launched and have not ended."""
        for one in self.new_runs:
            if one.status in {"running", "pending"}:
                what = one.match.event
                rank = (what.time, what.sequence)
                self.active[one.id] = Active(
                    one.id, one.match.automation.id, what.context_key, rank
                )

    async def copy_steps(self, run_id: UUID, revival: Revival) -> None:
        self.calls.append("copy_steps")
        self.copied[run_id] = revival


def _key(run: Active) -> tuple[str, str | None]:
    return run.automation_id, run.context_key


class Heard(Listener):
    """A listener that notes all it hears, and in which order the moments came."""

    def __init__(self, order: list[str] | None = None) -> None:
        self.order = [] if order is None else order  # may be shared with other fakes
        self.new_runs: list[NewRun] = []
        self.firings: list[Firing] = []
        self.holds: list[Hold] = []
        self.disarmed: list[UUID] = []
        self.ticks: list[Due] = []
        self.checkpoints: list[Checkpoint] = []
        self.endings: list[Ended] = []
        self.looks: list[UUID] = []
        self.decisions: list[Decision] = []
        self.rows: list[EventRow] = []

    def launched(self, runs: Sequence[NewRun]) -> None:
        self.order.append("launched")
        self.new_runs += runs

    def fired(self, firings: Sequence[Firing]) -> None:
        self.order.append("fired")
        self.firings += firings

    def armed(self, holds: Sequence[Hold], disarmed: Sequence[UUID], ticks: Sequence[Due]) -> None:
        self.order.append("armed")
        self.holds += holds
        self.disarmed += disarmed
        self.ticks += ticks

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        self.order.append("checkpointed")
        self.checkpoints += done

    def ended(self, ended: Sequence[Ended]) -> None:
        self.order.append("ended")
        self.endings += ended

    def looking(self, waits: Sequence[UUID]) -> None:
        self.order.append("looking")
        self.looks += waits

    def judged(self, decisions: Sequence[Decision]) -> None:
        self.order.append("judged")
        self.decisions += decisions

    def reported(self, rows: Sequence[EventRow]) -> None:
        self.order.append("reported")
        self.rows += rows


class FreePlaces:
    """The places of a worker, without walks: what is offered stays on its place."""

    def __init__(self, free: int = 9, order: list[str] | None = None) -> None:
        self.free, self.reserved, self.active = free, 0, 0
        self.order = [] if order is None else order
        self.wanted = asyncio.Event()
        self.asked = self.answered = 0
        self.reservations: list[int] = []  # how many were asked for, each time
        self.offered: list[RunState] = []
        self.woken: list[UUID] = []
        self.stopped: list[UUID] = []

    def reserve(self, wanted: int) -> Reservation:
        """See `ports.places.Places`."""
        self.order.append("reserve")
        self.reservations.append(wanted)
        reserved = Reservation(min(self.free, wanted))
        self.free -= reserved.places
        self.reserved += reserved.places
        return reserved

    def offer(self, runs: Sequence[RunState], reserved: Reservation) -> None:
        """See `ports.places.Places`."""
        self.order.append("offer")
        self.reserved -= reserved.places
        self.active += len(runs)
        self.free += reserved.places - len(runs)
        self.offered += runs

    def expect_ready(self) -> None:
        """See `ports.places.Places`."""
        self.asked += 1

    def none_ready(self, asked: int) -> None:
        """See `ports.places.Places`."""
        self.answered = asked

    def wake(self, run_ids: Iterable[UUID]) -> None:
        """See `ports.places.Places`."""
        self.woken += run_ids

    def stop(self, run_ids: Iterable[UUID]) -> None:
        """See `ports.places.Places`."""
        self.stopped += run_ids


class Ends:
    """Ends runs from outside: notes which, and what it was asked."""

    def __init__(self, order: list[str] | None = None) -> None:
        self.stubborn: set[UUID] = set()
        self.order = [] if order is None else order
        self.away = Away()
        self.cancelled: list[tuple[list[UUID], str | None]] = []
        self.exceeded: list[list[UUID]] = []
        self.replaced: list[UUID] = []
        self.announced: list[UUID] = []

    @property
    def port(self) -> Terminator:
        """It as the port: the control API alone asks for the rest."""
        return cast("Terminator", self)

    async def cancel(self, run_ids: Sequence[UUID], reason: str | None) -> Sequence[Ended]:
        self.away.check()
        if self.stubborn & {*run_ids}:
            raise LookupError("a run that cannot be ended")
        self.cancelled.append(([*run_ids], reason))
        return []

    async def exceed(self, wait_ids: Sequence[UUID]) -> None:
        self.exceeded.append([*wait_ids])

    async def replace(self, run_ids: Sequence[UUID], tx: CancelTransaction) -> Sequence[Ended]:
        self.order.append("replace")
        self.replaced += run_ids
        return await tx.end_runs(run_ids, Ending(status="cancelled", reason=REPLACED, at=NOW))

    async def announce(self, ended: Sequence[Ended]) -> None:
        if ended:
            self.order.append("announce")
        self.announced += [one.run.id for one in ended]


class Measured:
    """A meter that keeps what the tests of this folder look at."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.services: dict[str, int] = {}
        self.stalls: list[float] = []
        self.failed: dict[str, int] = {}

    def event(self, outcome: str, number: int = 1) -> None: ...

    def batch(self, events: int) -> None: ...

    def run_ended(self, automation_id: str, status: str, seconds: float | None) -> None: ...

    def step_ended(self, kind: str, seconds: float) -> None: ...

    def woke(self, seconds_late: float) -> None:
        self.late.append(seconds_late)

    def answered(self, endpoint: str, code: str) -> None: ...

    def listener_failed(self, listener: str, number: int = 1) -> None:
        self.failed[listener] = self.failed.get(listener, 0) + number

    def service_failed(self, service: str, number: int = 1) -> None:
        self.services[service] = self.services.get(service, 0) + number

    def stalled(self, seconds: float) -> None:
        self.stalls.append(seconds)


class Away:
    """Says so often that a server is away, and lets calls through again after that."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times, self.error = 0, error or Unavailable("away")

    def check(self) -> None:
        """Raise as often as is left: Unavailable, if nothing else was said."""
        if self.times:
            self.times -= 1
            raise self.error


class Bus:
    """A stream: keeps what was published, once for each id; may be away, or withhold its word."""

    def __init__(self) -> None:
        self.away = Away()
        self.refused: dict[str, Exception] = {}  # by message id
        self.stored: list[str] = []  # message ids, in order
        self.headers: dict[str, Mapping[str, str]] = {}
        self.attempts: list[str] = []
        self.unacknowledged: set[str] = set()
        self.most_unacknowledged = 0
        self.acknowledges = asyncio.Event()
        self.acknowledges.set()

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """See `ports.bus.Publisher`."""
        name = headers["Nats-Msg-Id"]
        self.attempts.append(name)
        self.away.check()
        if name in self.refused:
            raise self.refused[name]
        is_new = name not in self.stored
        if is_new:
            self.stored.append(name)
            self.headers[name] = headers
        self.unacknowledged.add(name)
        self.most_unacknowledged = max(self.most_unacknowledged, len(self.unacknowledged))
        await self.acknowledges.wait()
        self.unacknowledged.remove(name)
        return is_new


class Definitions:
    """The stored automations; a definition is the name of what it is compiled to."""

    def __init__(self) -> None:
        self.away = Away()
        self.number = 0
        self.stored: dict[str, Head] = {}
        self.looked_at: Set[str] = frozenset()
        self.kept: dict[tuple[str, int], StoredDefinition] = {}
        self.calls: list[str] = []
        self.read: list[list[tuple[str, int]]] = []

    def save(self, head: Head, definition: str | None = None) -> None:
        """Create or change an automation."""
        self.number += 1
        self.stored[head.id] = head
        self.kept[head.id, head.version] = StoredDefinition(definition or head.id, {})

    def delete(self, automation_id: str) -> None:
        """Delete an automation with its versions."""
        self.number += 1
        self.stored.pop(automation_id)
        self.kept = {key: one for key, one in self.kept.items() if key[0] != automation_id}

    async def refresh_types(self) -> None:
        """Load the types that services have registered."""
        self.calls.append("types")

    async def revision(self) -> int:
        """See `ports.matching.AutomationSource`."""
        return self.number

    async def heads(self) -> tuple[int, Sequence[Head]]:
        """See `ports.matching.AutomationSource`."""
        self.calls.append("heads")
        self.away.check()
        await asyncio.sleep(0)
        return self.number, [*self.stored.values()]

    async def looked_back(self) -> Set[str]:
        """See `ports.matching.AutomationSource`."""
        return self.looked_at

    async def definitions(
        self, keys: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], StoredDefinition]:
        """See `ports.matching.AutomationSource`."""
        self.calls.append("definitions")
        self.read.append([*keys])
        return {key: self.kept[key] for key in keys if key in self.kept}
