"""The connection to NATS: made with patience, watched, and given up loudly."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Protocol

import structlog
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from lockstep.bus import api, headers
from lockstep.bus.dial import Hooks, check_version, dial, version_of
from lockstep.bus.errors import BadMessage, MessageTooLarge
from lockstep.bus.liveness import watch
from lockstep.bus.names import MAX_SUBJECT_BYTES, Names, is_subject
from lockstep.bus.requests import NoResponders, RawReply, Requests
from lockstep.bus.settings import BusSettings, redacted
from lockstep.bus.wire import MAX_PENDING_BYTES, Reader, Wire
from lockstep.model.errors import BusUnavailable, ServerUnfit, Unavailable
from lockstep.model.texts import said

log = structlog.get_logger()

_FIRST_WAIT_SECONDS: Final = 0.25  # a server that is started again may be back within a second
_LONGEST_WAIT_SECONDS: Final = 10.0  # after doubling: how late we notice that NATS is back
_CLOSE_SECONDS: Final = 5.0  # to send what waits; a server that hangs must not keep us from ending
_RELEASE_SECONDS: Final = 2.0  # for what the server sent before; what is later is delivered again
_AGAIN_SECONDS: Final = 1.0  # until a loop that failed is begun again
_SAY_AGAIN_SECONDS: Final = 30.0  # nats-py reports each failed attempt to reconnect


class ConnectionListener(Protocol):
    """Wants to know when the connection breaks and when it is back. Neither may raise or wait."""

    def lost(self) -> None:
        """All that was under way on the old connection is gone."""
        ...

    def back(self) -> None:
        """Subscriptions stand again."""
        ...


class Connection:
    """One connection to NATS and the tasks that live with it.

    `closed` is set when it is over for good: the engine has to exit then, and start anew.
    """

    def __init__(
        self, settings: BusSettings, fresh: Callable[[], BusSettings] | None = None
    ) -> None:
        self.settings = settings
        self._fresh = fresh or (lambda: settings)
        self.names = Names(settings.prefix)
        self.closed = asyncio.Event()
        self.closed_reason = ""
        self.listeners: set[ConnectionListener] = set()
        self.alive = True
        """What the last liveness probe found."""
        self.wire = Wire()
        self.requests = Requests(self.wire, "")
        self.doubted = asyncio.Event()
        """A stream or a group may be gone: nobody answered for it."""
        self._up = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._said: tuple[str, float] = "", 0.0

    @property
    def connected(self) -> bool:
        """Whether there is a connection this moment."""
        return self.wire.is_connected and not self.closed.is_set()

    @property
    def healthy(self) -> bool:
        """Whether the server is there and answers; for readiness."""
        return self.connected and self.alive

    @property
    def server(self) -> str:
        """Where we are, or try to be, connected; without credentials."""
        url = self.wire.connected_url
        return redacted(url.geturl() if url else ", ".join(self.settings.servers))

    @property
    def server_version(self) -> str | None:
        """See `control.status.BusStatus`."""
        return version_of(self.wire) if self.connected else None

    @property
    def max_payload(self) -> int:
        """What the server takes at most: header block and body together, in bytes."""
        return self.wire.max_payload

    async def wait_connected(self, seconds: float) -> None:
        """Wait for a connection.

        Raises:
            Unavailable: None within `seconds`, or it is closed for good.
        """
        if not self.connected:
            try:
                async with asyncio.timeout(seconds):
                    await self._up.wait()
            except TimeoutError:
                text = f"no connection to NATS at {self.server} within {seconds:g} s"
                raise BusUnavailable(text) from None
        if self.closed.is_set():
            raise BusUnavailable(f"the connection to NATS is closed: {self.closed_reason}")

    def pack(self, subject: str, body: bytes, head: Mapping[str, str] | None) -> bytes:
        """Check what the server would answer by cutting the connection; return the header block.

        Raises:
            MessageTooLarge: Header block and body together, or the header block, are too large.
            BadMessage: The subject or a header cannot be sent.
        """
        if not is_subject(subject):
            short = subject if len(subject) <= 64 else f"{subject[:64]}…"
            raise BadMessage(
                f"subject {short!r}: words with single dots between, at most "
                f"{MAX_SUBJECT_BYTES} bytes, are expected"
            )
        block = headers.pack(head) if head else b""
        if len(block) > headers.MAX_HEADER_BYTES:
            raise MessageTooLarge(f"{subject}: headers of {len(block)} bytes, 65,536 are allowed")
        if (size := len(block) + len(body)) > self.max_payload:
            text = f"{subject}: {size} bytes with headers, NATS takes {self.max_payload}"
            raise MessageTooLarge(text)
        return block

    async def ask(self, subject: str, body: bytes, head: bytes, seconds: float) -> RawReply:
        """Send a request; `head` comes from `pack`. Waits for a connection first if there is none.

        Raises:
            NoResponders: Nobody listens there.
            Unavailable: No connection or no answer within `seconds` each.
        """
        if not self.connected:
            await self.wait_connected(seconds)
        return await self.requests.ask(subject, body, head, seconds)

    def post(self, subject: str, body: bytes, head: bytes = b"", reply: str = "") -> None:
        """Send without waiting; `head` comes from `pack`. May be lost when the connection breaks.

        Raises:
            Unavailable: The connection is closed, or so much waits already to be sent.
        """
        if self.closed.is_set():
            raise BusUnavailable(f"the connection to NATS is closed: {self.closed_reason}")
        if self.wire.pending_data_size > 4 * MAX_PENDING_BYTES:
            raise BusUnavailable(f"NATS at {self.server} does not take what we send")
        self.wire.post(subject, body, reply, head)

    async def listen(self, subject: str, reader: Reader, queue: str = "") -> Subscription:
        """Subscribe; `reader` is called in the read loop for each message, and must be quick.

        Raises:
            Unavailable: The connection is closed.
        """
        try:
            return await self.wire.listen(subject, reader, queue)
        except NatsError as error:
            raise BusUnavailable(f"cannot subscribe to {subject}: {error}") from error

    async def settled(self) -> None:
        """Return when the server has taken all that was sent before, subscriptions too.

        Raises:
            Unavailable: It did not within 10 s.
        """
        try:
            await self.wire.flush()
        except NatsError as error:
            raise BusUnavailable(f"NATS at {self.server} does not take what we send") from error

    async def release(self, *subscriptions: Subscription) -> None:
        """End subscriptions; what the server sent before is still read, if it is there in 2 s."""
        if not self.connected:
            for subscription in subscriptions:
                self.wire.forget(subscription)
            return
        # The drain flushes, and a flush must run to its end (nats-py loses count of its pings).
        drains = {self.own(self._drain(one), "bus.drain") for one in subscriptions}
        if drains:
            await asyncio.wait(drains, timeout=_RELEASE_SECONDS)

    async def _drain(self, subscription: Subscription) -> None:
        try:
            await subscription.drain()  # type: ignore[no-untyped-call]
        except NatsError as error:
            log.info("subscription.lost", subject=subscription.subject, error=error)

    def own(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run a task that ends with the connection; if it fails, that is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(self, loop: Callable[[], Coroutine[Any, Any, None]], name: str) -> asyncio.Task[None]:
        """Run a loop that ends with the connection; if it fails, it is begun again."""
        return self.own(self._kept(loop, name), name)

    async def _kept(self, loop: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        while True:
            try:
                return await loop()
            except Exception:
                log.exception("bus.task_failed", task=name)
            await asyncio.sleep(_AGAIN_SECONDS)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("bus.task_failed", task=task.get_name(), exc_info=error)

    def give_up(self, reason: str) -> None:
        """Declare the connection closed for good; the first reason counts."""
        if not self.closed.is_set():
            self.closed_reason = reason
            self.closed.set()
            self._up.set()  # whoever waits for it shall see that it is closed
            log.error("bus.closed", reason=reason, server=self.server)
            self.requests.fail()
            self._tell(lambda listener: listener.lost())

    async def close(self) -> None:
        """Send what waits to be sent and end; at most 5 s."""
        if not self.closed.is_set():
            self.closed_reason = "closed by us"
            self.closed.set()
            self._up.set()
            self.requests.fail()
        closing = asyncio.create_task(self.wire.close(), name="bus.close")
        try:
            await asyncio.wait({closing}, timeout=_CLOSE_SECONDS)
        finally:
            left = [closing, *self._tasks]
            for task in left:
                task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _tell(self, what: Callable[[ConnectionListener], None]) -> None:
        for listener in [*self.listeners]:
            what(listener)

    async def _on_error(self, error: Exception) -> None:
        """Log what the client reports; the same again at most every 30 s."""
        text = said(error)
        self.requests.denied(text)
        if text == self._said[0] and time.monotonic() - self._said[1] < _SAY_AGAIN_SECONDS:
            return
        self._said = text, time.monotonic()
        log.warning("bus.error_reported", error=text, server=self.server)

    async def _on_lost(self) -> None:
        if self.closed.is_set():
            return
        self._up.clear()
        log.warning("bus.disconnected", server=self.server)
        self.requests.fail()
        self._tell(lambda listener: listener.lost())

    async def _on_back(self) -> None:
        self._said = "", 0.0
        log.info("bus.reconnected", server=self.server)
        self._up.set()
        self._tell(lambda listener: listener.back())

    async def _on_closed(self) -> None:
        self.give_up(f"the client gave up: {self.wire.last_error or 'no reason given'}")

    async def open(self, *, needs_jetstream: bool) -> None:
        """Try once to connect and to find the server fit; what was opened is closed if it is not.

        Raises:
            Unavailable: No server answers.
            ServerUnfit: One does, and is of no use.
        """
        hooks = Hooks(
            error=self._on_error, lost=self._on_lost, back=self._on_back, closed=self._on_closed
        )
        self.wire = await dial(self.settings, hooks, self._fresh)
        try:
            version = check_version(self.wire, self.server)
            self.requests = Requests(self.wire, self.server)
            await self.requests.start()
            if needs_jetstream:
                await _check_jetstream(self)
        except BaseException:
            self.wire.silence()
            await self.wire.close()
            raise
        self._up.set()
        if needs_jetstream:
            self.keep(partial(watch, self), "bus.watch")
        log.info("bus.connected", server=self.server, version=version, client=self.settings.name)


async def connect(
    settings: BusSettings,
    *,
    patience_seconds: float | None = None,
    needs_jetstream: bool = True,
    fresh: Callable[[], BusSettings] | None = None,
) -> Connection:
    """Connect, however long it takes, or for about `patience_seconds`.

    `fresh` gives the settings anew when the connection broke: their secrets may have changed.

    The waits grow to 10 s and are spread, so that replicas do not come all at once. Without
    `needs_jetstream` nothing is asked of the server and it is not watched: for command lines,
    whose user may be allowed little.

    Raises:
        ServerUnfit: The server is older than 2.12, has no JetStream, or refuses our credentials.
        SettingError: A file or an address of the settings is wrong.
        Unavailable: No server within `patience_seconds`.
    """
    wait, said, began = _FIRST_WAIT_SECONDS, "", time.monotonic()
    while True:
        connection = Connection(settings, fresh)
        try:
            await connection.open(needs_jetstream=needs_jetstream)
        except Unavailable as error:
            if patience_seconds is not None and time.monotonic() - began >= patience_seconds:
                raise
            if str(error) != said:
                said = str(error)
                log.warning("bus.unreachable", reason=error, next="trying again until it answers")
        else:
            return connection
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads the replicas
        wait = min(2 * wait, _LONGEST_WAIT_SECONDS)


async def _check_jetstream(connection: Connection) -> None:
    try:
        await api.call(connection, "INFO", seconds=3.0)
    except NoResponders:
        raise ServerUnfit(
            f"NATS at {connection.server} has no JetStream: start it with `-js` or with a "
            "`jetstream` block in its configuration"
        ) from None
    except api.ApiError as error:
        error.about = f"JetStream at {connection.server}"
        raise error.as_refusal() from None
