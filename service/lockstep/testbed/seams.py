"""Where cases look into an engine: its sources of events, and its commits."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from lockstep.model.messages import Message, Told
from lockstep.model.runs import Checkpoint
from lockstep.model.verdicts import Accept, Verdict
from lockstep.ports.bus import MessageSource
from lockstep.ports.listeners import Listener
from lockstep.testbed.clock import CaseClock
from lockstep_schemas.events import HEADER_MESSAGE_ID

TAKEN: Final = frozenset({"run_created", "before_ack"})
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class StreamTimes:
    """When the stream stored what, as the clock of the case has it.

    The clock stands while somebody looks how far the stream is, and moves only then. So what has
    come since the look before was stored at the time that it shows, whoever has published it and
    whenever an engine takes it.
    """

    def __init__(self, clock: CaseClock) -> None:
        self._clock = clock
        self._stored_at: dict[int, datetime] = {}
        self._last = 0

    @property
    def known(self) -> Mapping[int, datetime]:
        """The times of all that was seen, by sequence."""
        return self._stored_at

    def reach(self, last: int) -> None:
        """Note that the stream holds messages up to this sequence now."""
        for sequence in range(self._last + 1, last + 1):
            self._stored_at[sequence] = self._clock.now()  # a little later each, as they are
        self._last = max(self._last, last)

    def learn(self, known: Mapping[int, datetime]) -> None:
        """Take over what another one has seen."""
        self._stored_at.update(known)
        self._last = max([self._last, *known])

    def stamp(self, message: Message) -> None:
        """Let a message have been stored when the case says."""
        self.reach(message.sequence)
        stored_at = (self._stored_at[message.sequence] - EPOCH) // timedelta(microseconds=1) * 1000
        message.stored_at_ns = stored_at  # type: ignore[misc] # a Delivery


class TakenMessages:
    """What was taken from the stream, to be delivered again; stored when the case's clock says."""

    def __init__(self, times: StreamTimes) -> None:
        self._times = times
        self._messages: dict[str, Message] = {}

    def around(self, source: MessageSource) -> MessageSource:
        """Note what this source gives."""
        return _Around(source, self._note)

    def _note(self, message: Message) -> None:
        """Keep a message, as it was stored."""
        self._times.stamp(message)
        self._messages[message.headers.get(HEADER_MESSAGE_ID, "")] = message

    def find(self, message_id: str) -> Message | None:
        """Give the last message of this id."""
        return self._messages.get(message_id)

    def clear(self) -> None:
        """Forget them: another case begins."""
        self._messages.clear()


class _Around:
    """A `ports.bus.MessageSource` around another: it tells what is taken and acknowledged."""

    def __init__(
        self,
        inner: MessageSource,
        took: Callable[[Message], None],
        accepting: Callable[[], None] | None = None,
    ) -> None:
        self._inner, self._took, self._accepting = inner, took, accepting

    async def batch(self, limit: int) -> Sequence[Message]:
        messages = await self._inner.batch(limit)
        for message in messages:
            self._took(message)
        return messages

    async def settle(self, message: Message, verdict: Verdict) -> None:
        if self._accepting is not None and isinstance(verdict, Accept):
            self._accepting()
        await self._inner.settle(message, verdict)

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()


class Point(Listener):
    """A point at which the worker dies: a step path, `wait_armed`, or one of `TAKEN`."""

    def __init__(self, times: StreamTimes) -> None:
        self._times, self._name = times, ""

    def put(self, name: str) -> None:
        """Die there; empty for nowhere."""
        self._name = name

    def around(self, source: MessageSource) -> MessageSource:
        """Die before what this source gave is acknowledged, where that is the point."""
        return _Around(source, self._times.stamp, self._committed)

    def _committed(self) -> None:
        """Die, where the point is a commit of events."""
        if self._name in TAKEN:
            die()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Die, where the point is in these; nobody else has heard of the commit."""
        paths = {step.path for one in done for step in one.steps if step.status == "success"}
        arms = any(wait.path for one in done for wait in one.waits)
        if self._name in paths or (self._name == "wait_armed" and arms):
            die()


async def as_ours() -> Told:
    """Let the clock of the stream be that of the case: its messages are stamped by it."""
    return Told("", None)


def die() -> None:
    """End here and now; nothing of ours runs after it."""
    os.kill(os.getpid(), signal.SIGKILL)
