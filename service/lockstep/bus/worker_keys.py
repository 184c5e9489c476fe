"""The KV bucket of the workers: a key that is not renewed tells the others to look after its runs.

A hint, no proof: who takes over decides by the row of the worker in the store.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID, uuid4

import structlog
from nats.aio.subscription import Subscription

from lockstep.bus import api
from lockstep.bus.api import ApiError
from lockstep.bus.buckets import REMOVED, as_uuid
from lockstep.bus.connection import Connection
from lockstep.bus.delivery import Delivery, is_delivery
from lockstep.bus.publisher import Publisher
from lockstep.model.errors import BusUnavailable, ServerUnfit, Unavailable

log = structlog.get_logger()

HEARTBEAT_SECONDS: Final = 2.0  # a lost consumer is noticed about when a key expires, in 4 s
_SILENCE: Final = 2.2
"""Heartbeats that may be missed until the consumer counts as lost."""
_FORGET_SECONDS: Final = 30.0  # the server removes the consumer of a process that was killed
_FIRST_PAUSE_SECONDS: Final = 0.25  # a leader that steps down is followed by another at once
_CLOSE_SECONDS: Final = 5.0  # as `connection`: a server that hangs must not keep us from ending
_LIMIT: Final = 10_000  # a key that is dropped here is only a hint: rows say who is stale


class WorkerKeys:
    """The keys of the workers: renewed while they live, and watched by the others."""

    def __init__(self, connection: Connection, *, silence: float = _SILENCE) -> None:
        """`silence`: heartbeats of the server that may be missed before a watch is begun anew."""
        self.name = connection.names.workers_bucket
        self.stream = connection.names.bucket_stream(self.name)
        self._connection = connection
        self._publisher = Publisher(connection)
        self._silence = silence

    async def renew(self, worker_id: UUID, body: bytes, ttl_seconds: int) -> None:
        """Write the key anew; it expires `ttl_seconds`, at least 1, after the server stored it.

        Raises:
            Unavailable: Not acknowledged in time, or the bucket is not there (`NoResponders`).
            Refused: The stream will never take it: `ttl_seconds` is below 1, or it knows no TTL.
            MessageTooLarge: `body` is too large.
        """
        await self._publish(worker_id, body, {"Nats-TTL": str(ttl_seconds)})

    async def drop(self, worker_id: UUID) -> None:
        """Remove the key, and tell the others at once: for a worker that ends in good order.

        Raises: as `renew`.
        """
        await self._publish(worker_id, b"", REMOVED)

    async def _publish(self, worker_id: UUID, body: bytes, headers: Mapping[str, str]) -> None:
        subject = self._connection.names.key(self.name, str(worker_id))
        await self._publisher.publish(subject, body, headers)

    @asynccontextmanager
    async def expiries(self) -> AsyncIterator["Expiries"]:
        """Watch for keys that expire or are dropped from now on.

        Raises:
            ServerUnfit: The bucket is not there when the watch begins, or we may not watch it.
            Unavailable: JetStream gave no answer.
        """
        watch = Expiries(self._connection, self.name, self._silence)
        await watch.start()
        try:
            yield watch
        finally:
            await watch.stop()


class Expiries:
    """Ids of workers whose keys expired or were dropped; an async iterator.

    Lives through restarts of the server and the loss of the bucket. Some may be missing, and one
    may come twice, or for a worker that is back by now.

    A consumer of its own, as the marks of expiry, which the server writes itself, reach no plain
    subscription. It pushes: a pull would have to be renewed.
    """

    def __init__(self, connection: Connection, bucket: str, silence: float) -> None:
        self._connection, self._silence = connection, silence
        self._stream = connection.names.bucket_stream(bucket)
        self._every = connection.names.key(bucket, ">")
        self._queue: deque[UUID] = deque(maxlen=_LIMIT)
        self._arrived = asyncio.Event()
        self._nudge = asyncio.Event()
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._task: asyncio.Task[None] | None = None
        self._stale = self._stopped = False
        self._heard = 0.0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        # When the newest message that was read had been stored, or the first consumer was made.
        self._seen_ns = 0
        self._said = ""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UUID:
        """Wait for the next worker that is gone.

        Raises:
            Unavailable: The connection is closed for good.
        """
        while not self._queue:
            if self._connection.closed.is_set():
                reason = self._connection.closed_reason
                raise BusUnavailable(f"the connection to NATS is closed: {reason}")
            if self._stopped:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    async def start(self) -> None:
        """Begin to watch; raises as `WorkerKeys.expiries`."""
        self._connection.listeners.add(self)  # before anything can get lost
        try:
            await self._renew()
        except BaseException:
            self._connection.listeners.discard(self)
            raise
        self._task = self._connection.keep(self._run, "workers.expiries")

    async def stop(self) -> None:
        """End the watch; who iterates comes to the end."""
        self._stopped = True
        self._connection.listeners.discard(self)
        self._arrived.set()
        self._nudge.set()  # nats-py can swallow a cancellation: the task looks at `_stopped` too
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        if self._subscription is not None:
            await self._connection.release(self._subscription)
        self._forget(self._consumer)

    # What the connection and the server say.

    def lost(self) -> None:
        """Wake the reader: perhaps it is for good."""
        self._arrived.set()

    def back(self) -> None:
        """Make the consumer anew: a server that was restarted has forgotten it."""
        self._stale = True
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._nudge.set()

    def _read(self, subject: bytes, reply: bytes, head: bytes, body: bytes) -> None:
        self._heard = _now()
        if not is_delivery(reply):
            return  # a heartbeat
        message = Delivery(subject, reply, head, body)
        if message.stored_at_ns <= self._seen_ns:
            return  # the consumer before this one has brought it too
        self._seen_ns = message.stored_at_ns
        gone = "Nats-Marker-Reason" in message.headers or "KV-Operation" in message.headers
        worker_id = as_uuid(message.subject[len(self._every) - 1 :])
        if gone and worker_id is not None:
            self._queue.append(worker_id)
            self._arrived.set()

    # The one task.

    async def _run(self) -> None:
        """Notice that the consumer is gone, and make another."""
        try:
            while not self._stopped:
                wait = self._pause_seconds if self._stale else HEARTBEAT_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._nudge.wait()
                self._nudge.clear()
                if _now() - self._heard > self._silence * HEARTBEAT_SECONDS:
                    self._stale = True
                if self._stale and self._connection.connected and not self._stopped:
                    await self._try_again()
        finally:
            self._arrived.set()  # closed by us: nobody else tells the reader

    async def _try_again(self) -> None:
        self._stale = False
        try:
            await self._renew()
        except (Unavailable, ServerUnfit) as error:
            self._stale = True
            self._pause_seconds = min(2 * self._pause_seconds, HEARTBEAT_SECONDS)
            if self._said != str(error):  # not each time: it is tried until it is there
                self._said = str(error)
                log.warning("subscription.lost", subject=self._every, error=error)
        else:
            self._pause_seconds, self._said = _FIRST_PAUSE_SECONDS, ""

    async def _renew(self) -> None:
        """Make a consumer with an inbox of its own, and let go of the one before."""
        inbox, consumer = self._connection.wire.new_inbox(), f"watch-{uuid4().hex}"
        subscription = await self._connection.listen(inbox, self._read)
        try:
            await self._create(consumer, inbox)
        except BaseException:
            await self._connection.release(subscription)
            raise
        self._heard = _now()
        old, self._subscription = self._subscription, subscription
        before, self._consumer = self._consumer, consumer
        if old is not None:
            await self._connection.release(old)
            self._forget(before)

    async def _create(self, consumer: str, inbox: str) -> None:
        config: dict[str, Any] = {
            "name": consumer,
            "filter_subject": self._every,
            "deliver_subject": inbox,
            "deliver_policy": "new",
            "ack_policy": "none",
            "headers_only": True,
            "idle_heartbeat": round(HEARTBEAT_SECONDS * 1e9),
            "inactive_threshold": round(_FORGET_SECONDS * 1e9),
            "mem_storage": True,
            "num_replicas": 1,
        }
        if self._seen_ns:  # by the clock of the server, which outlives a bucket that is made anew
            config |= {
                "deliver_policy": "by_start_time",
                "opt_start_time": _time(self._seen_ns + 1),
            }
        where = f"CONSUMER.CREATE.{self._stream}.{consumer}.{self._every}"
        request = {"stream_name": self._stream, "config": config}
        try:
            made = await api.call(self._connection, where, request)
        except ApiError as error:
            error.about = f"stream {self._stream} cannot be watched"
            if error.err_code in api.NOT_FOUND:
                text = f"{error.about}: {error.description}; `lockstep bus apply` creates it"
                raise ServerUnfit(text) from None
            raise error.as_refusal() from None
        if not self._seen_ns:  # what comes from now on is for us, also if this consumer gets lost
            self._seen_ns = _nanoseconds(made["created"])

    def _forget(self, consumer: str) -> None:
        """Delete a consumer of ours; it would go by itself too, a little later."""
        with suppress(BusUnavailable):
            self._connection.post(f"$JS.API.CONSUMER.DELETE.{self._stream}.{consumer}", b"")


def _time(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _nanoseconds(text: str) -> int:
    """Read a time of the server, to the microsecond below."""
    return round(datetime.fromisoformat(text).timestamp() * 1e6) * 1000


def _now() -> float:
    return asyncio.get_running_loop().time()
