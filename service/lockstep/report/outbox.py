"""Report: what is committed goes to the bus, in order for each topic, until it is acknowledged.

At most one unacknowledged event per topic (a run, an automation), many topics at once.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from lockstep.model.errors import BusUnavailable, EngineError, ServerUnfit, Unavailable
from lockstep.model.outbox import EventRow
from lockstep.model.parked import why
from lockstep.model.runs import Checkpoint
from lockstep.ports.bus import Publisher
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep_schemas.events import (
    CLOUD_EVENT,
    HEADER_CONTENT_TYPE,
    HEADER_FORMAT,
    HEADER_MESSAGE_ID,
    HEADER_TRACE,
)
from lockstep_schemas.run_events import RUN_EVENT_FORMAT

IN_FLIGHT: Final = 256  # as many as are walked by default: each run has at most one on its way
FORGET_AT_ONCE: Final = 512  # twice what is in flight: keeps up, and the statement stays short
OVERDUE_SECONDS: Final = 5.0  # as long as an acknowledgement may take by default
SWEEP_ROWS: Final = 2000  # some MiB; those after them come with the next sweep
# Of each of those in flight: a bus that comes up is not asked more often.
RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
# What the bus refuses for what it is passes when an operator has changed the bus.
REFUSED_SECONDS: Final = 60.0

log = structlog.get_logger()


class Outbox(Protocol):
    """The table of what is not acknowledged yet."""

    async def of_topics(self, topics: Sequence[str]) -> tuple[Sequence[EventRow], Set[str]]:
        """What is stored of these topics, in order; and those that a parked row holds up.

        Of these only what stands before that row is given.
        """
        ...

    async def park(self, row: EventRow, reason: str) -> None:
        """Put a row aside that the bus refuses for what it is."""
        ...

    async def overdue(self, seconds: float, limit: int) -> Sequence[EventRow]:
        """What has been there for longer than `seconds`, oldest first."""
        ...

    async def forget(self, rows: Sequence[EventRow]) -> None:
        """Delete what the bus has acknowledged."""
        ...


class Stream(Protocol):
    """The stream that the events go to."""

    async def has(self, row: EventRow, since: datetime) -> bool:
        """Look for the message id of `row` among what was stored since a time."""
        ...


class Reporter(Listener):
    """Publishes the outbox of this worker, and what dead workers have left in it."""

    def __init__(
        self,
        outbox: Outbox,
        publisher: Publisher,
        stream: Stream,
        clock: Clock,
        duplicate_window_seconds: float,
    ) -> None:
        self._outbox, self._publisher, self._stream = outbox, publisher, stream
        self._clock = clock
        self._doubtful = timedelta(seconds=duplicate_window_seconds / 2)
        self._topics: dict[str, deque[EventRow]] = {}
        # Bounded by the topics: each stands in it at most once.
        self._turns: asyncio.Queue[str] = asyncio.Queue()
        # Topics that a parked row holds up: what comes later of them is in the store.
        self._held: set[str] = set()
        self._acknowledged: list[EventRow] = []
        self._forget = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def offer(self, rows: Sequence[EventRow]) -> None:
        """Take committed events; those of a topic in order of their seq."""
        for row in rows:
            if row.topic in self._held:
                continue
            waiting = self._topics.get(row.topic)
            if waiting is None:
                self._topics[row.topic] = deque((row,))
                self._turns.put_nowait(row.topic)
            else:
                waiting.append(row)
        if self._topics:
            self._idle.clear()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Publish what walks have told."""
        for one in done:
            self.offer(one.events)

    def reported(self, rows: Sequence[EventRow]) -> None:
        """Publish what others have told."""
        self.offer(rows)

    async def take_over(self, topics: Sequence[str]) -> None:
        """Publish first what another worker has committed of these topics and may not have sent.

        Whatever it sends too is dropped by the stream, which knows the message ids; but who listens
        without it hears that twice. So what the bus has acknowledged here is not sent again.
        """
        told = [*self._acknowledged]  # before it is read: forgotten meanwhile, they are in it yet
        stored, held = await self._outbox.of_topics(topics)
        acknowledged = {row.message_id for row in (*told, *self._acknowledged)}
        rows = [row for row in stored if row.message_id not in acknowledged]
        self._held = (self._held - set(topics)) | held
        self.offer([row for row in rows if row.topic not in self._topics])
        for topic in set(topics) & set(self._topics):
            waiting = self._topics[topic]
            known = {row.seq for row in waiting}
            # The first one may be on its way; what is before it was acknowledged.
            fresh = [
                row
                for row in rows
                if row.topic == topic and row.seq > waiting[0].seq and row.seq not in known
            ]
            if fresh:
                merged = sorted([*waiting, *fresh], key=lambda row: row.seq)
                waiting.clear()
                waiting.extend(merged)

    async def drained(self) -> None:
        """Return when all that was offered is acknowledged and forgotten."""
        await self._idle.wait()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(self._publish_for_ever())
            group.create_task(self._forget_for_ever())

    async def sweep(self) -> None:
        """Publish what should have been published by now: its worker died, or the bus was away."""
        rows = await self._outbox.overdue(OVERDUE_SECONDS, SWEEP_ROWS)
        topics = sorted({row.topic for row in rows if row.topic not in self._topics})
        if topics:
            await self.take_over(topics)

    async def _publish_for_ever(self) -> None:
        while True:
            topic = await self._turns.get()
            waiting, pause = self._topics[topic], 0.0
            try:
                if await self._publish(waiting[0]):
                    self._acknowledged.append(waiting.popleft())
                else:
                    self._held.add(topic)
            except EngineError as error:
                # The bus takes others: what it refuses holds back its own topic alone.
                pause = REFUSED_SECONDS
                log.warning("event.unpublished", message_id=waiting[0].message_id, error=error)
            except Exception as error:
                pause = REFUSED_SECONDS
                log.exception("event.unpublished", message_id=waiting[0].message_id, error=error)
            finally:
                # Cut off in the middle it has its turn too: the stream drops what it has already.
                self._next_turn(topic, pause)
                self._forget.set()

    def _next_turn(self, topic: str, pause: float) -> None:
        if topic in self._held or not self._topics[topic]:
            del self._topics[topic]
        elif pause:
            loop = asyncio.get_running_loop()
            loop.call_later(pause, self._turns.put_nowait, topic)
        else:
            self._turns.put_nowait(topic)

    async def _publish(self, row: EventRow) -> bool:
        """Publish a row, however long that takes; false where it was parked."""
        attempt = 0
        while True:
            try:
                if not await self._is_there(row):
                    await self._publisher.publish(row.subject, row.body, _headers(row))
            except EngineError as error:
                # It is too large, or its subject is none: it will never be taken.
                is_to_blame = error.category == "bad_request"
                if is_to_blame and await self._park(row, why(error)):
                    return False
                if not (is_to_blame or isinstance(error, Unavailable)):
                    raise
                if attempt == 0:
                    log.warning("outbox.delayed", message_id=row.message_id, error=error)
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
            else:
                return True

    async def _park(self, row: EventRow, reason: str) -> bool:
        """Put a row aside that the bus will never take; false where the store is away."""
        try:
            await self._outbox.park(row, reason)
        except Unavailable as error:
            log.warning("service.delayed", error=error)
            return False
        return True

    async def _is_there(self, row: EventRow) -> bool:
        """Past half the duplicate window the server may have forgotten the id: look it up.

        The window counts from the commit, since when others may have published it: this replica
        may have been frozen or cut off before it came to that.
        """
        if self._clock.now() - row.created_at < self._doubtful:
            return False
        try:
            return await self._stream.has(row, row.created_at)
        except ServerUnfit as error:  # the stream may be made again
            raise BusUnavailable(str(error)) from error

    async def _forget_for_ever(self) -> None:
        while True:
            while not self._acknowledged:
                if not self._topics:
                    self._idle.set()
                self._forget.clear()
                await self._forget.wait()
            rows = self._acknowledged[:FORGET_AT_ONCE]
            try:
                await self._outbox.forget(rows)
            except Unavailable as error:
                log.warning("service.delayed", error=error)
                await asyncio.sleep(RETRY_SECONDS[2])
                continue
            del self._acknowledged[: len(rows)]


def _headers(row: EventRow) -> Mapping[str, str]:
    head = {
        HEADER_MESSAGE_ID: row.message_id,
        HEADER_CONTENT_TYPE: CLOUD_EVENT,
        HEADER_FORMAT: RUN_EVENT_FORMAT,
    }
    if row.traceparent is not None:
        head[HEADER_TRACE] = row.traceparent
    return head
