"""Pulls the messages of a durable consumer group, by credit, and says what becomes of them.

Not `PullSubscription.fetch` of nats-py: that has a third of the speed, and waits out its time when
the connection was lost meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog
from nats.aio.subscription import Subscription

from lockstep.bus import api, headers
from lockstep.bus.api import ApiError
from lockstep.bus.connection import Connection
from lockstep.bus.delivery import ACK, NAK, PROGRESS, TERM, Delivery, is_delivery
from lockstep.model.errors import ServerUnfit, Unavailable
from lockstep.model.messages import Message
from lockstep.model.verdicts import Accept, Retry, Terminate, Verdict

log = structlog.get_logger()

EXPIRES_SECONDS: Final = 30.0  # what nats.go asks for; a request that we forgot ends by itself
# A request that was lost is noticed after 11 s, before an ack wait ends.
HEARTBEAT_SECONDS: Final = 5.0
MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
"""Of one request, and of what waits here before another is sent: at most twice that is held."""

_SILENCE: Final = 2.2
"""Heartbeats that may be missed until the requests count as lost."""
_FIRST_PAUSE_SECONDS: Final = 0.25  # a leader that steps down is followed by another at once
_LONGEST_PAUSE_SECONDS: Final = 5.0  # after doubling: how late we notice that there is a leader
_REASON_BYTES: Final = 1024  # as many as `dead_letters` writes


class Puller:
    """A `ports.bus.MessageSource`: takes in advance, at most `credit`, and keeps them alive.

    Every message that came and is not settled is reported to the server as in progress, well
    before its `ack_wait` is over, whether it waits here or is in work. So it is delivered again
    only if this process dies or hangs, or its verdict got lost.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        lane: str = "",
        credit: int = 256,
        stream: str = "",
        consumer: str = "",
        max_queued_bytes: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._connection = connection
        self._max_queued_bytes = max_queued_bytes
        self.stream = stream or connection.names.triggers_stream
        self.consumer = consumer or connection.names.consumer(lane)
        self.credit = credit
        self._ack_wait = connection.settings.ack_wait_seconds
        self._queue: deque[Delivery] = deque()
        self._queued_bytes = 0
        self._in_flight: dict[int, Delivery] = {}
        self._arrived = asyncio.Event()
        self._nudge = asyncio.Event()
        self._open = 0  # messages that requests still ask for
        self._heard = self._kept_at = self._paused_until = 0.0
        self._tick = HEARTBEAT_SECONDS
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._wants_new_inbox = False
        self._paused = self._stopped = False
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._newest = (0, 0)  # sequence and store time of the newest message seen

    @property
    def in_flight(self) -> int:
        """Messages that came and are not settled."""
        return len(self._in_flight)

    @property
    def queued(self) -> int:
        """Messages that came and nobody has taken."""
        return len(self._queue)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Begin to pull.

        Raises:
            ServerUnfit: The consumer is not there.
            Unavailable: JetStream gave no answer.
        """
        try:
            what = f"CONSUMER.INFO.{self.stream}.{self.consumer}"
            config = (await api.call(self._connection, what))["config"]
        except ApiError as error:
            error.about = f"consumer {self.consumer} of stream {self.stream}"
            if error.err_code in api.NOT_FOUND:
                text = f"{error.about}: {error.description}; `lockstep bus apply` creates it"
                raise ServerUnfit(text) from None
            raise error.as_refusal() from None
        self._ack_wait = config.get("ack_wait", 0) / 1e9 or self._ack_wait
        self._tick = min(self._ack_wait / 3, HEARTBEAT_SECONDS)
        await self._renew_inbox()
        self._connection.listeners.add(self)
        self._task = self._connection.keep(self._run, f"puller.{self.consumer}")
        self._nudge.set()

    async def batch(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one message; return all that are there, at most `limit`.

        Empty only after `stop`.
        """
        while not self._queue and not self._stopped:
            self._arrived.clear()
            await self._arrived.wait()
        # Nothing is awaited from here on: a cancellation could lose what has been taken.
        taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
        self._queued_bytes -= sum(message.size for message in taken)
        self._consider()
        return taken

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """Acknowledge, refuse for a while, or terminate. The first verdict counts.

        A verdict that is lost with the connection means that the message comes again.
        """
        delivery = self._in_flight.get(message.sequence)
        if delivery is None or delivery.stored_at_ns != message.stored_at_ns:
            log.debug("message.settled_before", sequence=message.sequence, stream=self.stream)
            return
        del self._in_flight[message.sequence]
        match verdict:
            case Accept():
                self._say(delivery, ACK)
            case Retry(delay_seconds):
                delay = msgspec.json.encode({"delay": max(0, round(delay_seconds * 1e9))})
                self._say(delivery, NAK + b" " + delay)
            case Terminate(reason):
                self._say(delivery, TERM + b" " + headers.one_line(reason, _REASON_BYTES).encode())

    def pause(self) -> None:
        """Ask for no more messages; up to `credit` that were asked for may still come."""
        self._paused = True

    def resume(self) -> None:
        """Ask for messages again."""
        self._paused = False
        self._nudge.set()

    async def stop(self) -> None:
        """Stop fetching; what nobody has taken goes back at once, for another replica.

        Messages in work are kept alive and can be settled until `close`.
        """
        if self._stopped:
            return
        self._stopped = True
        if self._subscription is not None:
            await self._connection.release(self._subscription)
        returned = [*self._queue]
        self._queue.clear()
        self._queued_bytes = 0
        for message in returned:
            del self._in_flight[message.sequence]
            self._say(message, NAK)
        self._arrived.set()
        log.info(
            "puller.stopped", consumer=self.consumer, returned=len(returned), held=self.in_flight
        )

    async def close(self) -> None:
        """Stop, and keep nothing alive any more."""
        await self.stop()
        self._connection.listeners.discard(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    # What the connection and the server say.

    def lost(self) -> None:
        """The requests are gone with the connection."""
        self._open = 0

    def back(self) -> None:
        """Ask anew, from a new inbox: the server must not serve the requests from before too."""
        self._wants_new_inbox = True
        self._nudge.set()

    def _read(self, subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        self._heard = _now()
        if is_delivery(reply):
            self._take(Delivery(subject, reply, head, body))
        else:
            self._note_status(head)
        self._consider()

    def _take(self, message: Delivery) -> None:
        self._open = max(0, self._open - 1)
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        message.seen_at = self._heard
        self._watch_sequence(message)
        known = self._in_flight.get(message.sequence)
        if known is not None and known.stored_at_ns == message.stored_at_ns:
            # Delivered again while we have it: it is not handled twice, its verdict goes to
            # where the server now expects it.
            known.reply, known.deliveries = message.reply, message.deliveries
            return
        self._in_flight[message.sequence] = message
        self._queue.append(message)
        self._queued_bytes += message.size
        self._arrived.set()

    def _watch_sequence(self, message: Delivery) -> None:
        """Report a stream that goes back: it lost its end in a power cut, or was made anew."""
        sequence, stored_at_ns = self._newest
        if message.stored_at_ns > stored_at_ns:
            if message.sequence <= sequence:
                log.error(
                    "stream.rewound",
                    stream=self.stream,
                    was=sequence,
                    now=message.sequence,
                    meaning="events that were acknowledged to their publishers may be lost",
                )
            self._newest = message.sequence, message.stored_at_ns

    def _note_status(self, head: bytes) -> None:
        """Take note of the end of a request; heartbeats only show that the server is there.

        Source: ADR-37 of the NATS architecture records.
        """
        code = headers.status(head)
        if code in {0, 100}:
            return
        left = headers.unpack(head).get("Nats-Pending-Messages", "")
        self._open = max(0, self._open - int(left)) if left.isdigit() else 0
        if code == 503 or (code == 409 and not left):
            # No leader now, shutting down, or the consumer is gone: not asked again at once.
            self._paused_until = _now() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
            self._connection.doubted.set()
            text = headers.status_text(head) or "nobody serves the consumer"
            log.warning("puller.refused", consumer=self.consumer, status=code, reason=text)

    # The one task.

    def _consider(self) -> None:
        """Wake the task when half of the credit is free."""
        if 2 * self._room() > self.credit:
            self._nudge.set()

    def _room(self) -> int:
        if self._paused or self._stopped or self._queued_bytes > self._max_queued_bytes:
            return 0
        return self.credit - self._open - len(self._queue)

    async def _run(self) -> None:
        """Ask for messages, keep alive those in flight, notice silence."""
        while True:
            try:
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._nudge.wait()
            except TimeoutError:
                pass
            self._nudge.clear()
            if not self._connection.connected:
                continue
            try:
                await self._work()
            except Unavailable as error:
                log.warning("puller.delayed", consumer=self.consumer, error=error)

    def _sleep_seconds(self) -> float:
        left = self._paused_until - _now()
        return min(self._tick, left) if left > 0 else self._tick

    async def _work(self) -> None:
        now = _now()
        silent = self._open and now - self._heard > _SILENCE * HEARTBEAT_SECONDS
        if (self._wants_new_inbox or silent) and not self._stopped:
            if silent:
                log.warning("puller.resynced", consumer=self.consumer, silent_requests=self._open)
            await self._renew_inbox()
        if now - self._kept_at >= self._tick:
            self._keep_alive(now)
        if now >= self._paused_until and 2 * (room := self._room()) > self.credit:
            self._ask_for(room)

    async def _renew_inbox(self) -> None:
        self._wants_new_inbox = False
        old, self._open = self._subscription, 0
        self._inbox = self._connection.wire.new_inbox()
        self._subscription = await self._connection.listen(self._inbox, self._read)
        left = [old, self._subscription] if self._stopped else [old]  # stopped while we waited
        await self._connection.release(*(one for one in left if one is not None))

    def _keep_alive(self, now: float) -> None:
        """Report what is in flight as in progress, at the latest after half of `ack_wait`."""
        self._kept_at = now
        for message in self._in_flight.values():
            if now - message.seen_at >= self._ack_wait / 6:
                self._connection.post(message.reply, PROGRESS)
                message.seen_at = now

    def _ask_for(self, room: int) -> None:
        request: dict[str, Any] = {
            "batch": room,
            "expires": round(EXPIRES_SECONDS * 1e9),
            "idle_heartbeat": round(HEARTBEAT_SECONDS * 1e9),
            "max_bytes": max(self._max_queued_bytes, 2 * self._connection.max_payload),
        }
        where = f"$JS.API.CONSUMER.MSG.NEXT.{self.stream}.{self.consumer}"
        self._connection.post(where, msgspec.json.encode(request), reply=self._inbox)
        self._open += room
        self._heard = _now()

    def _say(self, message: Delivery, what: bytes) -> None:
        try:
            self._connection.post(message.reply, what)
        except Unavailable as error:
            log.warning("verdict.lost", message=repr(message), error=error)


def _now() -> float:
    return asyncio.get_running_loop().time()
