"""The alarms of the bus, which ring for whatever its own worker did not wake."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

import structlog

from lockstep.model.errors import Unavailable
from lockstep.model.messages import Message
from lockstep.model.verdicts import Accept, Retry, Verdict
from lockstep.ports.apart import apart
from lockstep.ports.bus import MessageSource

BATCH: Final = 250  # as timers: a transaction of some 20 ms
RETRY_SECONDS: Final = 1.0  # until alarms come again that the store could not take

log = structlog.get_logger()


class BusAlarms:
    """Takes alarms from a durable group: any replica wakes what the owner of a timer did not."""

    def __init__(
        self,
        source: MessageSource,
        ring: Callable[[Sequence[UUID]], Awaitable[None]],
        per_second: float,
    ) -> None:
        self._source, self._ring, self._per_second = source, ring, per_second

    async def run(self) -> None:
        """Ring until cancelled; after an outage at a bounded rate."""
        while True:
            batch = await self._source.batch(BATCH)
            if not batch:
                return  # the source has stopped
            verdict: Verdict = Retry(RETRY_SECONDS)  # also where it is cut off
            try:
                await apart(list(_wait_ids(batch)), self._ring, _refused)
                verdict = Accept()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
            finally:
                for message in batch:
                    await self._source.settle(message, verdict)
            await asyncio.sleep(len(batch) / self._per_second)


def _wait_ids(batch: Sequence[Message]) -> Iterator[UUID]:
    """Read the wait ids, the last word of each subject; what is none of ours is passed over."""
    for message in batch:
        word = message.subject.rpartition(".")[2]
        try:
            yield UUID(word)
        except ValueError:
            log.warning("message.broken", error=f"{message.subject} names no wait")


def _refused(wait_id: UUID, error: Exception) -> None:
    """Tell of one that cannot be fired; its row stays due, and the sweep tries it again."""
    log.error("due.refused", id=str(wait_id), kind="alarm", exc_info=error)
