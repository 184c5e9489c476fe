"""The intake loop: batches from the bus, and after the commit the answer to each message."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from lockstep.intake.slow_lane import SlowLane
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.events import Poison
from lockstep.model.messages import Message
from lockstep.model.texts import said
from lockstep.model.verdicts import Accept, Retry, Terminate, Verdict
from lockstep.ports.bus import MessageSource
from lockstep.ports.pipeline import EventPipeline
from lockstep.ports.telemetry import Meter

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)  # a store that comes up is not asked more often
REMEMBERED: Final = 10_000  # some MiB; an event that is forgotten is counted from the start

_OUTCOMES: Final = {Accept: "accepted", Retry: "postponed", Terminate: "dead_lettered"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How long an event is tried again whose handling fails."""

    most_seconds: float = 60.0  # between two: a cause that has gone is noticed within a minute
    deliveries: int = 10  # with pauses that double: some six minutes, in which most causes pass
    alone: int = 3  # times that it may be handled alone without its worker surviving it


class DeadLetters(Protocol):
    """Where events go that can never be handled."""

    async def send(self, message: Message, reason: str) -> bool:
        """Store it untouched, once, with the reason; False if it is there. Raise Unavailable."""
        ...


class Marks(Protocol):
    """What the store keeps of events that may have killed their worker; it outlives the process."""

    async def ping(self) -> None:
        """Return if the store answers. Raise Unavailable."""
        ...

    async def suspect(self, delivery: str) -> int:
        """Note that an event is about to be handled alone; give how often. Raise Unavailable."""
        ...

    async def clear(self, delivery: str) -> None:
        """Note that its worker has survived it. Raise Unavailable."""
        ...


class Intake:
    """Takes batches of one consumer group through the pipeline.

    What fails is tried again, later and later. While the store is away nothing counts against an
    event. One that fails while the parts are well is handled alone, and in the end dead-lettered;
    so is one that was delivered often and whose worker dies each time it is handled alone.
    """

    def __init__(
        self,
        source: MessageSource,
        pipeline: EventPipeline,
        dead_letters: DeadLetters,
        marks: Marks,
        batch_size: int,
        meter: Meter,
        retries: Retries,
        is_slow: Callable[[str], bool],
    ) -> None:
        """`is_slow` says whether judging the events of a subject takes long."""
        self._source, self._pipeline, self._dead_letters = source, pipeline, dead_letters
        self._marks, self._batch_size, self._meter = marks, batch_size, meter
        self._retries = retries
        self._slow = SlowLane(is_slow, self._take_back)
        self._failures: OrderedDict[str, int] = OrderedDict()  # while the parts were well
        self._open = asyncio.Event()
        self._open.set()
        self._finished = asyncio.Event()

    def press(self, is_too_much: bool) -> None:
        """Stop taking batches, or take them again: the backlog stays in the stream meanwhile."""
        if is_too_much and self._open.is_set():
            log.warning("intake.paused")
            self._open.clear()
            self._source.pause()
        elif not is_too_much and not self._open.is_set():
            log.info("intake.resumed")
            self._open.set()
            self._source.resume()

    async def run(self) -> None:
        """Take batches until the source stops, or until cancelled."""
        async with asyncio.TaskGroup() as group:
            behind = group.create_task(self._slow.run(self._open.wait))
            while True:
                await self._open.wait()
                batch = await self._source.batch(self._batch_size)
                if not batch:
                    break  # the source has stopped
                slow, others = self._slow.parted(batch)
                await self._take_back(others)
                await self._slow.put(slow)
            for message in self._slow.emptied():
                await self._source.settle(message, Retry(0))
            await self._slow.idle()
            behind.cancel()
        self._finished.set()

    async def _take_back(self, batch: Sequence[Message]) -> None:
        """Handle a batch; give it back where that breaks off."""
        try:
            await self._take_all(batch)
        except BaseException:
            # Kept alive for ever they would be nobody's. Of a verdict the first one counts.
            for message in batch:
                await self._source.settle(message, Retry(RETRY_SECONDS[-1]))
            raise

    async def _take_all(self, batch: Sequence[Message]) -> None:
        most = self._retries.deliveries
        often = [message for message in batch if message.deliveries > most]
        rest = [message for message in batch if message.deliveries <= most]
        if rest:
            await self.take(rest)
        for message in often:
            await self._take_suspect(message)

    async def finished(self) -> None:
        """Return when the source has stopped and its last batch is settled."""
        await self._finished.wait()

    async def take(self, batch: Sequence[Message]) -> None:
        """Handle a batch; where that fails while the store answers, each message alone."""
        failure = await self._try(batch)
        if failure is None:
            return
        if not await self._is_well():
            await self._postpone(batch, failure)
            return
        log.warning("batch.refused", events=len(batch), error=failure)
        failed = [(message, failure) for message in batch]
        if len(batch) > 1:
            tried = [(message, await self._try([message])) for message in batch]
            failed = [(message, error) for message, error in tried if error is not None]
        # If none of several goes through, it is a part that is not well, whatever it answers.
        counts = len(failed) < len(batch) or len(batch) == 1
        for message, error in failed:
            await self._settle(message, self._after(message, error, counts=counts))

    async def _take_suspect(self, message: Message) -> None:
        """Handle a message alone that came often: perhaps it kills whoever handles it."""
        key = _key(message)
        try:
            attempts = await self._marks.suspect(key)
            if attempts > self._retries.alone:
                reason = f"its worker died {attempts - 1} times while it was handled alone"
                await self._settle(message, Poison(message, reason))
            else:
                await self.take([message])
            await self._marks.clear(key)
        except Unavailable as error:
            await self._postpone([message], error)

    async def _try(self, batch: Sequence[Message]) -> Exception | None:
        """Take messages through the pipeline and settle them; give the error if it failed."""
        self._meter.batch(len(batch))
        try:
            verdicts = await self._pipeline.receive(batch)
        except Unavailable as error:
            return error
        except Exception as error:
            log.exception("batch.refused", events=len(batch), error=error)
            return error
        for message, verdict in verdicts:
            self._failures.pop(_key(message), None)
            await self._settle(message, verdict)
        return None

    def _after(self, message: Message, error: Exception, *, counts: bool) -> Verdict | Poison:
        """Try it again later and later; an event that never succeeds must not do so for ever."""
        key = _key(message)
        failures = self._failures.pop(key, 0) + counts
        self._failures[key] = failures
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        if failures > self._retries.deliveries:
            return Poison(message, f"handling failed {failures} times: {said(error)}")
        return Retry(min(2.0**failures, self._retries.most_seconds))

    async def _is_well(self) -> bool:
        try:
            await self._marks.ping()
        except Unavailable:
            return False
        return True

    async def _postpone(self, batch: Sequence[Message], error: Exception) -> None:
        """Give messages back while the store is away, and wait until it answers."""
        log.warning("batch.delayed", events=len(batch), error=error)
        self._meter.event("postponed", len(batch))
        for message in batch:
            await self._source.settle(message, Retry(RETRY_SECONDS[1]))
        attempt = 0
        while not await self._is_well():
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    async def _settle(self, message: Message, verdict: Verdict | Poison) -> None:
        if isinstance(verdict, Poison):
            verdict = await self._bury(message, verdict.reason)
        self._meter.event(_OUTCOMES[type(verdict)])
        await self._source.settle(message, verdict)

    async def _bury(self, message: Message, reason: str) -> Verdict:
        try:
            await self._dead_letters.send(message, reason)
        except Unavailable as error:
            log.warning("batch.delayed", events=1, error=error)
            return Retry(RETRY_SECONDS[1])
        except EngineError as error:
            # The stream of dead letters is gone, or refuses: an operator must look.
            log.warning("event.unburied", subject=message.subject, reason=reason, error=error)
            return Retry(self._retries.most_seconds)
        log.warning("event.dead_lettered", subject=message.subject, reason=reason)
        return Terminate(reason)


def _key(message: Message) -> str:
    return f"{message.stream}:{message.sequence}:{message.stored_at_ns}"
