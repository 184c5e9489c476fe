"""What wakes the runs of one replica, put together: rows, timers, alarms of the bus, words."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from lockstep import bus, report, store, wake, walk
from lockstep.bus.names import ENGINE
from lockstep.model.errors import ServerUnfit
from lockstep.model.matches import Hold
from lockstep.model.runs import Checkpoint, Due, Ended, has_key
from lockstep.ports import Clock
from lockstep.settings import Settings
from lockstep_schemas.run_events import ACTIVE

QUEUES_AT_ONCE: Final = 200

log = structlog.get_logger()

Expire = Callable[[Sequence[UUID]], Awaitable[None]]


class Waking:
    """Fires what is due, tells owners, ends runs from outside, shows on the bus what sleeps."""

    ended_outside: Callable[[Sequence[Ended]], None]  # hears of runs that were ended from outside
    expire: Expire  # starts the runs of timers that are due; set by who has the way of an event

    def __init__(
        self,
        worker_id: UUID,
        settings: Settings,
        database: store.Store,
        connection: bus.Connection,
        clock: Clock,
        walkers: walk.Walkers,
        reporter: report.Reporter,
        late: Callable[[float], None],
    ) -> None:
        engine = settings.engine
        self._worker_id, self._connection, self._clock = worker_id, connection, clock
        self._walkers = walkers
        self.worker_keys = bus.WorkerKeys(connection)
        self.waits = store.WaitStore(database, worker_id)
        stale = engine.stale_seconds
        due_waits = store.DueRows(database, worker_id, stale, "waits")
        due_timers = store.DueRows(database, worker_id, stale, "timers")
        rate = engine.late_wakes_per_second
        self.timer_alarms = wake.Alarms(due_timers, clock, self._expire_due, rate)
        self.mirror = wake.Mirror(
            bus.Bucket(connection, "delay"),
            bus.Bucket(connection, "wait"),
            self.waits.sleepers,
            self._repair_bus,
        )
        self.calls = wake.Calls(worker_id, walkers, self.mirror, self._post)
        self.endings = wake.Endings(
            self.waits,
            clock,
            settings.nats.prefix,
            reporter.take_over,
            self._tell_ended,
            self.mirror.hide,
            self.timer_alarms.arm,
        )
        self._due = wake.DueWaits(self.waits, clock, self.calls.woken, self.endings.exceed, late)
        self.alarms = wake.Alarms(due_waits, clock, self._due.fire, rate)
        names = connection.names
        self.pullers = [
            bus.Puller(connection, stream=names.bucket_stream(bucket), consumer=ENGINE)
            for bucket in (names.delays_bucket, names.waits_bucket)
        ]
        self._bells = [wake.Bells(puller, self.ring, rate) for puller in self.pullers]

    @property
    def loops(self) -> list[Callable[[], Coroutine[None, None, None]]]:
        """What runs as long as the replica takes work."""
        return [self.alarms.run, self.timer_alarms.run, *(bell.run for bell in self._bells)]

    @property
    def sweeps(self) -> list[Callable[[], Awaitable[None]]]:
        """The last resorts, to be called every few seconds."""
        return [self.alarms.sweep, self.timer_alarms.sweep, self._hear_missed, self._promote]

    def is_behind(self, now: datetime) -> bool:
        """Say whether something is due at this replica that has not been fired."""
        return self.alarms.is_behind(now) or self.timer_alarms.is_behind(now)

    def look(self) -> None:
        """Look at once for what is due: another replica is gone."""
        self.alarms.look()
        self.timer_alarms.look()

    def forget(self) -> None:
        """Forget all timers: the rows are gone, for the next test case."""
        self.alarms.forget()
        self.timer_alarms.forget()

    async def listen(self) -> None:
        """Hear what other replicas tell this one. Raise Unavailable."""
        await self._connection.listen(
            self._connection.names.worker(str(self._worker_id)),
            lambda _subject, _reply, _head, body: self.calls.hear(body),
        )

    def committed(self, done: Checkpoint) -> None:
        """Let timers and the bus hear of waits that are stored."""
        if done.waits:
            self.alarms.arm(
                Due(wait.id, wait.kind, wait.due_at)
                for wait in done.waits
                if wait.due_at is not None
            )
            self.mirror.show(
                wake.sleeper(done.run, wait)
                for wait in done.waits
                if wait.is_shown and has_key(wait.armed_at, wait.due_at)
            )
        if done.deadline is not None and done.status not in ACTIVE:
            self.mirror.hide([done.deadline], [])

    def armed(self, holds: Sequence[Hold], gone: Sequence[UUID], ticking: Sequence[Due]) -> None:
        """Let timers and the bus hear of holds that are armed or disarmed, and of next ticks."""
        self.timer_alarms.arm(Due(hold.id, "hold", hold.due_at) for hold in holds)
        self.timer_alarms.arm(ticking)
        self.mirror.show(
            wake.holding(hold) for hold in holds if has_key(hold.armed_at, hold.due_at)
        )
        self.mirror.hide(gone, [])

    async def ring(self, ids: Sequence[UUID]) -> None:
        """Wake what an alarm of the bus names: a wait, or a timer. Raise Unavailable."""
        await self._due.ring(ids)
        await self.expire(ids)

    async def reconcile(self) -> None:
        """Make again what is gone of the buckets and their groups, and compare with the rows."""
        try:
            await bus.prepare(self._connection)
        except ServerUnfit as error:
            log.warning("mirror.delayed", error=str(error))
            return
        await self.mirror.reconcile(self._clock.now())

    def _tell_ended(self, ended: Sequence[Ended]) -> None:
        self.calls.ended(ended)
        self.ended_outside(ended)

    async def _expire_due(self, due: Sequence[Due]) -> None:
        await self.expire([one.id for one in due])

    async def _hear_missed(self) -> None:
        """Look for waits of our runs that were fired without a word that reached us."""
        if self._walkers.active:
            self._walkers.wake(await self.waits.unheard(QUEUES_AT_ONCE))

    async def _promote(self) -> None:
        """Let queues go on that a change of mode has left behind."""
        if await self.waits.promote(QUEUES_AT_ONCE):
            self._walkers.expect_ready()

    def _post(self, worker_id: UUID, body: bytes) -> None:
        self._connection.post(self._connection.names.worker(str(worker_id)), body)

    async def _repair_bus(self) -> None:
        await bus.prepare(self._connection)
