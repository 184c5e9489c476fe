"""The KV mirror: what sleeps, as keys on the bus, for people to see and for alarms to ring.

The rows in PostgreSQL are the truth. A key is written after the commit and taken away when its wait
is over; now and then both are compared. Losing all of it only costs time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, Literal, Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep.model.errors import EngineError, ServerUnfit, Unavailable
from lockstep.model.run_events import iso
from lockstep.model.runs import Checkpoint, Ended, RunState
from lockstep.model.texts import storable
from lockstep.model.timers import Hold
from lockstep.model.waits import Due, Firing, MirroredWait, WaitRow, has_key, is_awaited
from lockstep.ports.listeners import Listener
from lockstep_schemas.run_events import ACTIVE, WaitKind

IN_FLIGHT: Final = 64  # keys that share a round trip; the bus has events to take meanwhile
MOST: Final = 50_000  # changes that wait to be written; of more, the comparison writes what lacks
RETRY_SECONDS: Final = 1.0  # a bus that is away is not asked more often by each replica
SETTLED_SECONDS: Final = 30.0  # what is younger may just be on its way
FIRST: Final = UUID(int=0)

log = structlog.get_logger()

_encode = msgspec.json.Encoder().encode


class Bucket(Protocol):
    """A KV bucket."""

    async def put(self, key: str, body: bytes, due_at: datetime | None) -> None:
        """Write a key; with a time, the server rings a second after it. Raise Unavailable."""
        ...

    async def remove(self, key: str) -> None:
        """Take a key away, with its alarm. Raise Unavailable."""
        ...

    async def keys(self) -> set[UUID]:
        """All keys, and what was removed of late; raise Unavailable, or ServerUnfit: no bucket."""
        ...


class KvMirror(Listener):
    """Keeps the buckets like the table."""

    def __init__(
        self,
        delays: Bucket,
        waits: Bucket,
        sleepers: Callable[[UUID], Awaitable[Sequence[MirroredWait]]],
        repair: Callable[[], Awaitable[None]],
    ) -> None:
        self._delays, self._waits = delays, waits
        self._sleepers, self._repair = sleepers, repair
        self._changes: dict[UUID, tuple[Bucket, MirroredWait | None]] = {}
        self._strays: set[UUID] = set()  # keys without a wait, when both were compared last
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Write the keys of waits that are stored; take away those of deadlines of ended runs."""
        for checkpoint in done:
            self._show(
                sleeper(checkpoint.run, wait)
                for wait in checkpoint.waits
                if wait.is_shown and has_key(wait.armed_at, wait.due_at)
            )
            if checkpoint.deadline is not None and checkpoint.status not in ACTIVE:
                self._change(checkpoint.deadline, self._delays, None)

    def armed(self, holds: Sequence[Hold], disarmed: Sequence[UUID], ticks: Sequence[Due]) -> None:
        """Write the keys of holds, and take away those of holds that are no more."""
        del ticks  # they have no key: their replicas look for them
        self._show(holding(hold) for hold in holds if has_key(hold.armed_at, hold.due_at))
        for one in disarmed:
            self._change(one, self._delays, None)

    def fired(self, firings: Sequence[Firing]) -> None:
        """Take away the keys of waits that are over."""
        for one in firings:
            if one.has_key:
                self._change(one.id, self._bucket(one.kind), None)

    def ended(self, ended: Sequence[Ended]) -> None:
        """Take away the keys of what ended runs have waited for."""
        for run in ended:
            for one in run.delays:
                self._change(one, self._delays, None)
            for one in run.awaited:
                self._change(one, self._waits, None)

    async def settled(self) -> None:
        """Return when all changes are written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write changes until cancelled; those of one key in their order."""
        while True:
            while not self._changes:
                self._idle.set()
                self._changed.clear()
                await self._changed.wait()
            changes = dict(islice(self._changes.items(), IN_FLIGHT))
            results = await asyncio.gather(
                *(self._write(key, *change) for key, change in changes.items())
            )
            for (key, change), is_done in zip(changes.items(), results, strict=True):
                newest = self._changes.pop(key)
                if newest is not change or not is_done:  # changed again, or behind the others
                    self._changes[key] = newest
            if not all(results):
                await self._wait_for_the_bus()

    async def reconcile(self, now: datetime) -> None:
        """Take away keys of what does not sleep any more, write those that are missing.

        A key is taken away when it is found twice in a row: what was removed of late is found once.
        """
        try:
            found = {self._delays: await self._delays.keys(), self._waits: await self._waits.keys()}
        except ServerUnfit as error:
            log.warning("mirror.delayed", error=error)
            return
        except Unavailable:
            await self._wait_for_the_bus()
            found = {self._delays: set(), self._waits: set()}
        after, missing = FIRST, 0
        while page := await self._sleepers(after):
            after = page[-1].wait_id
            for wait in page:
                keys = found[self._bucket(wait.kind)]
                if wait.wait_id in keys:
                    keys.discard(wait.wait_id)
                elif (now - wait.armed_at).total_seconds() > SETTLED_SECONDS:
                    self._show([wait])
                    missing += 1
            await self.settled()  # never more on its way than a page
        orphans = self._take_away(found, now)
        if missing or orphans:
            log.info("mirror.reconciled", missing=missing, orphans=orphans)

    def _take_away(self, found: Mapping[Bucket, set[UUID]], now: datetime) -> int:
        """Take away keys that have no wait, as when it was looked last; say how many."""
        before, self._strays, orphans = self._strays, set[UUID](), 0
        for bucket, keys in found.items():
            for key in keys & before:
                # A key whose wait is younger than the list of waits is not an orphan.
                if _age_seconds(key, now) > SETTLED_SECONDS:
                    self._change(key, bucket, None)
                    orphans += 1
            self._strays |= keys - before
        return orphans

    def _show(self, sleepers: Iterable[MirroredWait]) -> None:
        for one in sleepers:
            self._change(one.wait_id, self._bucket(one.kind), one)

    def _bucket(self, kind: WaitKind | Literal["hold"]) -> Bucket:
        return self._waits if is_awaited(kind) else self._delays

    def _change(self, key: UUID, bucket: Bucket, sleeper: MirroredWait | None) -> None:
        if sleeper is not None and len(self._changes) >= MOST:
            return
        self._changes[key] = bucket, sleeper
        self._idle.clear()
        self._changed.set()

    async def _write(self, key: UUID, bucket: Bucket, sleeper: MirroredWait | None) -> bool:
        try:
            if sleeper is None:
                await bucket.remove(str(key))
            else:
                await bucket.put(str(key), _encode(sleeper), sleeper.due_at)
        except Unavailable:
            return False
        except EngineError as error:
            log.warning("mirror.refused", key=str(key), error=error)
        except Exception as error:
            log.exception("mirror.refused", key=str(key), error=error)
        return True

    async def _wait_for_the_bus(self) -> None:
        """A bucket may be gone, or the server away: put it right, and try again later."""
        try:
            await self._repair()
        except EngineError as error:
            log.warning("mirror.delayed", error=error)
        await asyncio.sleep(RETRY_SECONDS)


def sleeper(run: RunState, wait: WaitRow) -> MirroredWait:
    """Say what the bus shows of a wait."""
    return MirroredWait(
        wait_id=wait.id,
        run_id=run.id,
        automation_id=run.automation_id,
        automation_name=run.automation_name,
        kind=wait.kind,
        path=wait.path,
        waiting_for=wait.waiting_for,
        event=wait.event_id,
        context_key=wait.context_key if wait.context_key is None else storable(wait.context_key),
        armed_at=wait.armed_at,
        due_at=wait.due_at,
    )


def holding(hold: Hold) -> MirroredWait:
    """Say what the bus shows of a trigger that holds."""
    holder = hold.holder
    return MirroredWait(
        wait_id=hold.id,
        run_id=None,
        automation_id=holder.automation_id,
        automation_name=None,
        kind="hold",
        path="",
        waiting_for=f"trigger {holder.trigger_id} holds until {iso(hold.due_at)}",
        event=hold.event_id,
        context_key=(
            holder.context_key if holder.context_key is None else storable(holder.context_key)
        ),
        armed_at=hold.armed_at,
        due_at=hold.due_at,
    )


def _age_seconds(wait_id: UUID, now: datetime) -> float:
    """Read the age from a UUIDv7. Source: RFC 9562, section 5.7."""
    return now.timestamp() - (wait_id.int >> 80) / 1000
