"""The intake loop: batches from the bus, and after the commit the answer to each message."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.messages import Message
from lockstep.model.runs import Poison
from lockstep.model.verdicts import Accept, Retry, Terminate, Verdict
from lockstep.ports import Meter, Source

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
FAILED_RETRY_SECONDS: Final = 60.0
DELIVERIES: Final = 10
ALONE: Final = 3  # times that an event may be handled alone without its worker surviving it
REMEMBERED: Final = 10_000

_OUTCOMES: Final = {Accept: "accepted", Retry: "postponed", Terminate: "dead_lettered"}

log = structlog.get_logger()

Receive = Callable[[Sequence[Message]], Awaitable[list[tuple[Message, Verdict | Poison]]]]


class DeadLetters(Protocol):
    """Where events go that can never be handled."""

    async def send(self, message: Message, reason: str) -> bool:
        """Store it untouched, once, with the reason; False if it is there. Raise Unavailable."""
        ...


class Suspects(Protocol):
    """Events that may have killed their worker: a mark that outlives the process."""

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
        source: Source,
        receive: Receive,
        dead_letters: DeadLetters,
        store_answers: Callable[[], Awaitable[None]],
        suspects: Suspects,
        batch_size: int,
        meter: Meter,
    ) -> None:
        self._source, self.receive, self._dead_letters = source, receive, dead_letters
        self._store_answers, self._suspects = store_answers, suspects
        self._batch_size, self._meter = batch_size, meter
        self._failures: OrderedDict[str, int] = OrderedDict()  # while the parts were well
        self._open = asyncio.Event()
        self._open.set()

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
        while True:
            await self._open.wait()
            batch = await self._source.batch(self._batch_size)
            if not batch:
                return  # the source has stopped
            often = [message for message in batch if message.deliveries > DELIVERIES]
            rest = [message for message in batch if message.deliveries <= DELIVERIES]
            if rest:
                await self._take(rest)
            for message in often:
                await self._take_suspect(message)

    async def _take(self, batch: Sequence[Message]) -> None:
        """Handle a batch; where that fails while the store answers, each message alone."""
        failure = await self._try(batch)
        if failure is None:
            return
        if not await self._is_well():
            await self._postpone(batch, failure)
            return
        log.warning("batch.refused", events=len(batch), error=str(failure))
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
            attempts = await self._suspects.suspect(key)
            if attempts > ALONE:
                reason = f"its worker died {attempts - 1} times while it was handled alone"
                await self._settle(message, Poison(message, reason))
            else:
                await self._take([message])
            await self._suspects.clear(key)
        except Unavailable as error:
            await self._postpone([message], error)

    async def _try(self, batch: Sequence[Message]) -> Exception | None:
        """Take messages through the pipeline and settle them; give the error if it failed."""
        self._meter.batch(len(batch))
        try:
            verdicts = await self.receive(batch)
        except Unavailable as error:
            return error
        except Exception as error:
            log.exception("batch.refused", events=len(batch), error=str(error))
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
        if failures > DELIVERIES:
            return Poison(message, f"handling failed {failures} times: {error}")
        return Retry(min(2.0**failures, FAILED_RETRY_SECONDS))

    async def _is_well(self) -> bool:
        try:
            await self._store_answers()
        except Unavailable:
            return False
        return True

    async def _postpone(self, batch: Sequence[Message], error: Exception) -> None:
        """Give messages back while the store is away, and wait until it answers."""
        log.warning("batch.delayed", events=len(batch), error=str(error))
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
            log.warning("batch.delayed", events=1, error=str(error))
            return Retry(RETRY_SECONDS[1])
        except EngineError as error:
            # The stream of dead letters is gone, or refuses: an operator must look.
            log.warning("event.unburied", subject=message.subject, reason=reason, error=str(error))
            return Retry(FAILED_RETRY_SECONDS)
        log.warning("event.dead_lettered", subject=message.subject, reason=reason)
        return Terminate(reason)


def _key(message: Message) -> str:
    return f"{message.stream}:{message.sequence}:{message.stored_at_ns}"
