"""Events whose judging takes long: in batches of their own, behind the others."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from lockstep.model.messages import Message

BATCH: Final = 16  # of what takes the budget of a filter each: then a commit
MOST: Final = 1000  # that wait here; with more of them, others have to wait too
MOST_BYTES: Final = 16 * 1024 * 1024  # half as much as a puller holds


class SlowLane:
    """Takes slow messages in their order, beside those that are not.

    As long as one of a subject is here, all that follow of it are slow: what belongs together
    stays in its order.
    """

    def __init__(
        self,
        is_slow: Callable[[str], bool],
        take: Callable[[Sequence[Message]], Awaitable[None]],
    ) -> None:
        self._is_slow, self._take = is_slow, take
        self._waiting: deque[Message] = deque()
        self._subjects = Counter[str]()
        self._bytes = 0
        self._arrived, self._changed = asyncio.Event(), asyncio.Event()

    def parted(self, messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
        """Give the messages that belong here, and the others."""
        slow: list[Message] = []
        others: list[Message] = []
        for message in messages:
            subject = message.subject
            is_slow = subject in self._subjects or self._is_slow(subject)
            (slow if is_slow else others).append(message)
        return slow, others

    async def put(self, messages: Sequence[Message]) -> None:
        """Let messages wait here; wait where there are too many."""
        for message in messages:
            while len(self._waiting) >= MOST or self._bytes > MOST_BYTES:
                self._changed.clear()
                await self._changed.wait()
            self._waiting.append(message)
            self._subjects[message.subject] += 1
            self._bytes += len(message.data)
            self._arrived.set()

    async def run(self, may: Callable[[], Awaitable[object]]) -> None:
        """Take what waits, a few at a time, whenever that `may` be; until cancelled."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await may()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._take(batch)
            finally:
                self._left(batch)

    def emptied(self) -> list[Message]:
        """Give up what waits: it is handled by another replica, or later."""
        found = [*self._waiting]
        self._waiting.clear()
        self._left(found)
        return found

    async def idle(self) -> None:
        """Return when nothing is here."""
        while self._subjects:
            self._changed.clear()
            await self._changed.wait()

    def _left(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._subjects[message.subject] -= 1
            if not self._subjects[message.subject]:
                del self._subjects[message.subject]
            self._bytes -= len(message.data)
        self._changed.set()
