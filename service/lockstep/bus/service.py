"""Answers requests on the bus: the control API as a NATS micro service."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec
import structlog
from nats.aio.subscription import Subscription

from lockstep.bus import headers
from lockstep.bus.client import ERROR, ERROR_CODE, ApiReply
from lockstep.bus.connection import Connection
from lockstep.bus.discovery import QUEUE, Counters, Discovery
from lockstep.bus.errors import (
    MessageTooLarge,
    Overloaded,
    ReplyTooLarge,
    RequestTooLarge,
    Stopping,
    TookTooLong,
)
from lockstep.model.errors import EngineError, InternalError
from lockstep.model.faults import STATUS, fault_of

log = structlog.get_logger()

MAX_REQUEST_BYTES: Final = 1000 * 1024
"""Less than the 1 MiB that NATS takes: what is larger is told so, instead of cut off."""
_ERROR_BYTES: Final = 1024  # a header: clients show it, the body has all of it


class Answered(Protocol):
    """What a handler returns, such as `ApiReply`."""

    @property
    def body(self) -> bytes:
        """JSON."""
        ...

    @property
    def error_code(self) -> str:
        """Empty, or 400, 404, 409, 500, 503."""
        ...

    @property
    def error(self) -> str:
        """Empty, or what is wrong in one line."""
        ...


Handler = Callable[[bytes, Mapping[str, str]], Awaitable[Answered]]


class _Request(msgspec.Struct):
    endpoint: Counters
    handler: Handler
    reply: str
    head: bytes
    body: bytes


class RequestService:
    """Runs a handler for each request, many at once, and answers whatever happens.

    Each request goes to one of the replicas. Requests beyond `at_once` wait, those beyond
    `waiting` are refused as busy, one that takes longer than `limit_seconds` is ended. A request
    without a reply subject is not run: nobody would learn what became of it, and an
    acknowledgement of JetStream that somebody directed here comes like that.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        version: str,
        endpoints: Mapping[str, Handler],
        name: str = "lockstep",
        metadata: Mapping[str, str] | None = None,
        at_once: int = 64,
        waiting: int = 256,
        limit_seconds: float = 60.0,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        answered: Callable[[str, str], None] | None = None,
    ) -> None:
        """`answered` is told the endpoint and the code of each reply, 200 where all is well."""
        self._connection, self._answered = connection, answered
        self._endpoints = {
            Counters(suffix.replace(".", "-"), connection.names.api(suffix)): handler
            for suffix, handler in endpoints.items()
        }
        self._discovery = Discovery(connection, name, version, metadata or {}, self._endpoints)
        self._at_once, self._waiting, self._limit = at_once, waiting, limit_seconds
        self._max_request_bytes = max_request_bytes
        self._queue: deque[_Request] = deque()
        self._running: dict[asyncio.Task[None], _Request] = {}
        self._subscriptions: list[Subscription] = []
        self._found: list[Subscription] = []

    @property
    def id(self) -> str:
        """Of this instance, as discovery shows it."""
        return self._discovery.id

    async def start(self) -> None:
        """Begin to answer; when it returns, the server knows the endpoints.

        Raises:
            Unavailable: The connection is closed, or the server does not react.
        """
        if not self._found:  # else it is tried again: the server did not react
            for endpoint, handler in self._endpoints.items():
                reader = partial(self._read, endpoint, handler)
                subscription = await self._connection.listen(endpoint.subject, reader, QUEUE)
                self._subscriptions.append(subscription)
            self._found = await self._discovery.start()
        await self._connection.settled()

    async def stop(self, seconds: float = 10.0) -> None:
        """Take no more requests and answer those that have come; end what takes longer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        await self._connection.release(*self._subscriptions, *self._found)
        self._subscriptions, self._found = [], []
        while self._running and (left := deadline - loop.time()) > 0:
            await asyncio.wait(self._running, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for request in self._queue:
            self._answer(request, failure(Stopping("the engine is stopping")))
        self._queue.clear()
        ended = [*self._running]
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    def _read(
        self,
        endpoint: Counters,
        handler: Handler,
        _subject: bytes,
        reply: bytes,
        head: bytes,
        body: bytes,
    ) -> None:
        if not reply:
            log.info("request.ignored", endpoint=endpoint.name, reason="no reply subject")
            return
        request = _Request(endpoint, handler, reply.decode(), head, body)
        if len(body) > self._max_request_bytes:
            text = f"a request of {len(body)} bytes; at most {self._max_request_bytes} are allowed"
            self._answer(request, failure(RequestTooLarge(text)))
        elif len(self._running) < self._at_once:
            self._begin(request)
        elif len(self._queue) < self._waiting:
            self._queue.append(request)
        else:
            self._answer(request, failure(Overloaded("busy: try again in a moment")))

    def _begin(self, request: _Request) -> None:
        task = self._connection.own(self._run(request), f"api.{request.endpoint.name}")
        self._running[task] = request
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        request = self._running.pop(task)
        if task.cancelled():
            self._answer(request, failure(Stopping("the engine is stopping")))
        elif self._queue:
            self._begin(self._queue.popleft())

    async def _run(self, request: _Request) -> None:
        began = time.perf_counter()
        reply: Answered
        scope = asyncio.timeout(self._limit)
        try:
            async with scope:
                reply = await request.handler(request.body, headers.unpack(request.head))
        except Exception:
            # The reply says nothing of it: whoever asks may not be meant to see our insides.
            log.exception("request.failed", endpoint=request.endpoint.name)
            wrong: EngineError = InternalError("internal error; the log of the engine has it")
            if scope.expired():
                wrong = TookTooLong(f"not done within {self._limit:g} s")
            reply = failure(wrong)
        self._answer(request, reply)
        request.endpoint.add(began, reply.error)

    def _answer(self, request: _Request, reply: Answered) -> None:
        try:
            try:
                head = self._pack(request, reply)
            except MessageTooLarge as error:
                log.warning("reply.too_large", endpoint=request.endpoint.name, error=error)
                text = f"the reply is too large ({len(reply.body)} bytes): ask for less"
                reply = failure(ReplyTooLarge(text))
                head = self._pack(request, reply)
            if self._answered is not None:
                self._answered(request.endpoint.name, reply.error_code or "200")
            self._connection.post(request.reply, reply.body, head)
        except EngineError as error:
            log.warning("reply.lost", endpoint=request.endpoint.name, error=error)

    def _pack(self, request: _Request, reply: Answered) -> bytes:
        head = None
        if reply.error_code:
            error = headers.one_line(reply.error, _ERROR_BYTES)
            head = {ERROR_CODE: reply.error_code, ERROR: error}
        return self._connection.pack(request.reply, reply.body, head)


def failure(error: EngineError) -> ApiReply:
    """Make an error reply in the form of the control API."""
    fault = fault_of(error)
    return ApiReply(msgspec.json.encode(fault), STATUS[fault.code], fault.message)
