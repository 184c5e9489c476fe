"""Where cases look into an engine: its sources of events, and its commits."""

import functools
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final

from lockstep.model.messages import Message
from lockstep.model.runs import Checkpoint
from lockstep.model.verdicts import Accept, Verdict
from lockstep.ports.bus import MessageSource
from lockstep.ports.listeners import Listener
from lockstep.testbed.clock import CaseClock
from lockstep_schemas.events import HEADER_MESSAGE_ID

TAKEN: Final = frozenset({"run_created", "before_ack"})


class TakenMessages:
    """What was taken from the stream, to be delivered again; stored when the case's clock says."""

    def __init__(self, clock: CaseClock) -> None:
        self._clock = clock
        self._messages: dict[str, Message] = {}

    def around(self, source: MessageSource) -> MessageSource:
        """Note what this source gives."""
        return _Around(source, self._note)

    def _note(self, message: Message) -> None:
        """Keep a message; the first time, let it have been stored now."""
        key = message.headers.get(HEADER_MESSAGE_ID, "")
        if key not in self._messages:
            stamp(message, self._clock)
        self._messages[key] = message

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

    def __init__(self, clock: CaseClock) -> None:
        self._clock, self._name = clock, ""

    def put(self, name: str) -> None:
        """Die there; empty for nowhere."""
        self._name = name

    def around(self, source: MessageSource) -> MessageSource:
        """Die before what this source gave is acknowledged, where that is the point."""
        return _Around(source, functools.partial(stamp, clock=self._clock), self._committed)

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


def stamp(message: Message, clock: CaseClock) -> None:
    """Let a message have been stored now, as the clock of the case has it."""
    message.stored_at_ns = round(clock.now().timestamp() * 1e9)  # type: ignore[misc] # a Delivery


def die() -> None:
    """End here and now; nothing of ours runs after it."""
    os.kill(os.getpid(), signal.SIGKILL)
