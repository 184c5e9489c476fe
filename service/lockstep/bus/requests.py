"""Questions and their answers: one inbox for all, told apart by the last word of the subject."""

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final, NamedTuple

from lockstep.bus import headers
from lockstep.bus.wire import MAX_PENDING_BYTES, Wire
from lockstep.model.errors import BusUnavailable

_TICK_SECONDS: Final = 0.05  # one timer for all requests: a deadline is that exact


class RawReply(NamedTuple):
    """What came back: the header block as it is, and the body."""

    head: bytes
    body: bytes


class NoResponders(BusUnavailable):
    """Nobody listens on the subject: a part is not running, or a stream is not set up."""

    code = "bus.no_responders"
    advice = "Start what answers there; `lockstep bus apply` makes streams that are missing."


class NotAllowed(BusUnavailable):
    """The server does not let the engine publish to a subject; it needs an operator."""

    code = "bus.not_allowed"
    advice = "Let the user of the engine publish to the subject: `deploy/nats/accounts.conf`."


class Requests:
    """Asks and waits, thousands at a time, without a timer or a subscription for each."""

    def __init__(self, wire: Wire, server: str) -> None:
        self._wire, self._server = wire, server
        self._prefix = wire.new_inbox() + "."
        self._skip = len(self._prefix)
        self._tokens = count()
        self._waiting: dict[str, tuple[asyncio.Future[RawReply], float, str]] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    async def start(self) -> None:
        """Subscribe to the inbox."""
        self._wire.asking = self._prefix.encode()
        await self._wire.listen(self._prefix + "*", self._answered)

    async def ask(self, subject: str, body: bytes, head: bytes, seconds: float) -> RawReply:
        """Publish with a reply subject of its own and wait for the first reply.

        Raises:
            NoResponders: Nobody listens.
            NotAllowed: The server does not let us publish there.
            Unavailable: No reply within `seconds`, or the connection broke. It may have arrived.
        """
        loop = asyncio.get_running_loop()
        token = f"{next(self._tokens):x}"
        future: asyncio.Future[RawReply] = loop.create_future()
        self._waiting[token] = future, loop.time() + seconds, subject
        if self._sweep is None:
            self._sweep = loop.call_later(_TICK_SECONDS, self._expire)
        try:
            if self._wire.pending_data_size > MAX_PENDING_BYTES:
                await self._room(seconds)
            self._wire.post(subject, body, self._prefix + token, head)
            answer = await future
        except TimeoutError:
            text = f"{subject}: NATS at {self._server} gave no answer within {seconds:g} s"
            raise BusUnavailable(text) from None
        except PermissionError:
            raise self._not_allowed(subject) from None
        except ConnectionError:
            text = f"{subject}: the connection to NATS at {self._server} broke before the answer"
            raise BusUnavailable(text) from None
        finally:
            self._waiting.pop(token, None)
        if answer.head and not answer.body and headers.status(answer.head) == 503:
            raise NoResponders(f"{subject}: nobody listens there on NATS at {self._server}")
        return answer

    def fail(self) -> None:
        """Wake all who wait: their answers went to a connection that is no more."""
        for future, _, _ in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError())

    @contextmanager
    def watched(self, subject: str) -> Iterator[Callable[[], None]]:
        """Give what raises `NotAllowed` if the server has refused the subject since the entry."""
        token = f"{next(self._tokens):x}"
        refused: asyncio.Future[RawReply] = asyncio.get_running_loop().create_future()
        self._waiting[token] = refused, math.inf, subject

        def look() -> None:
            if refused.done() and isinstance(refused.exception(), PermissionError):
                raise self._not_allowed(subject)

        try:
            yield look
        finally:
            del self._waiting[token]
            if refused.done():
                refused.exception()  # seen: a connection that broke is told by who waits for it
            refused.cancel()

    def denied(self, error: str) -> None:
        """Wake those whose subject an error of the server names, all in lower case."""
        for future, _, subject in self._waiting.values():
            if f'"{subject.lower()}"' in error and not future.done():
                future.set_exception(PermissionError())

    def _not_allowed(self, subject: str) -> NotAllowed:
        return NotAllowed(f"{subject}: NATS at {self._server} does not let us publish there")

    async def _room(self, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while self._wire.pending_data_size > MAX_PENDING_BYTES:
                if not self._wire.is_connected:
                    raise ConnectionError
                await self._wire.sent()

    def _answered(self, subject: bytes, _reply: bytes, head: bytes, body: bytes) -> None:
        waiting = self._waiting.get(subject[self._skip :].decode("ascii", "replace"))
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(RawReply(head, body))

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for future, deadline, _ in self._waiting.values():
            if deadline <= now and not future.done():
                future.set_exception(TimeoutError())
        pending = bool(self._waiting)
        self._sweep = loop.call_later(_TICK_SECONDS, self._expire) if pending else None
