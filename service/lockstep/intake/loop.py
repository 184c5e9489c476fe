"""The intake loop: batches from the bus, and after the commit the answer to each message."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.messages import Message
from lockstep.model.runs import Poison
from lockstep.model.verdicts import Retry, Terminate, Verdict
from lockstep.ports import Source

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
FAILED_RETRY_SECONDS: Final = 60.0
DELIVERIES: Final = 10

log = structlog.get_logger()

Receive = Callable[[Sequence[Message]], Awaitable[list[tuple[Message, Verdict | Poison]]]]


class DeadLetters(Protocol):
    """Where events go that can never be handled."""

    async def send(self, message: Message, reason: str) -> bool:
        """Store it untouched, once, with the reason; False if it is there. Raise Unavailable."""
        ...


class Intake:
    """Takes batches of one consumer group through the pipeline."""

    def __init__(
        self,
        source: Source,
        receive: Receive,
        dead_letters: DeadLetters,
        store_answers: Callable[[], Awaitable[None]],
        batch_size: int,
    ) -> None:
        self._source, self.receive, self._dead_letters = source, receive, dead_letters
        self._store_answers, self._batch_size = store_answers, batch_size
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
        """Take batches until cancelled."""
        while True:
            await self._open.wait()
            batch = await self._source.batch(self._batch_size)
            try:
                verdicts = await self._handled(batch)
            except Unavailable as error:
                log.warning("batch.delayed", events=len(batch), error=str(error))
                for message in batch:
                    await self._source.settle(message, Retry(RETRY_SECONDS[1]))
                await self._until_the_store_answers()
                continue
            for message, verdict in verdicts:
                await self._settle(message, verdict)

    async def _handled(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        """Handle a batch; where that fails unexpectedly, each message alone."""
        try:
            return await self.receive(batch)
        except Unavailable:
            raise
        except Exception as error:
            log.exception("batch.refused", events=len(batch), error=str(error))
            if len(batch) > 1:
                return [pair for message in batch for pair in await self._handled([message])]
            return [(batch[0], _after_failure(batch[0], error))]

    async def _settle(self, message: Message, verdict: Verdict | Poison) -> None:
        if isinstance(verdict, Poison):
            verdict = await self._bury(message, verdict.reason)
        await self._source.settle(message, verdict)

    async def _bury(self, message: Message, reason: str) -> Verdict:
        try:
            await self._dead_letters.send(message, reason)
        except Unavailable as error:
            log.warning("batch.delayed", events=1, error=str(error))
            return Retry(RETRY_SECONDS[1])
        log.warning("event.dead_lettered", subject=message.subject, reason=reason)
        return Terminate(reason)

    async def _until_the_store_answers(self) -> None:
        attempt = 0
        while True:
            try:
                return await self._store_answers()
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1


def _after_failure(message: Message, error: Exception) -> Verdict | Poison:
    """Try it again later and later; an event that never succeeds must not do so for ever."""
    if message.deliveries > DELIVERIES:
        return Poison(message, f"handling failed {message.deliveries} times: {error}")
    return Retry(min(2.0**message.deliveries, FAILED_RETRY_SECONDS))
