"""The HTTP server of the probes: three addresses, all of them for reading."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec
import structlog
import uvicorn
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from uvicorn.protocols.http.h11_impl import H11Protocol

from lockstep.model.errors import SettingError
from lockstep.telemetry.health import Health
from lockstep.telemetry.metrics import Metrics

AT_ONCE: Final = 64  # connections: probes and scrapes are a few; of more, those that only wait go
# For a client to send a request: it is one packet, and comes with the connection.
REQUEST_SECONDS: Final = 5.0
# An answer takes milliseconds; a client that hangs must not keep us from ending.
END_SECONDS: Final = 2
JSON: Final = "application/json"

# Source: the ASGI specification 3.0, "HTTP Connection Scope".
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]

log = structlog.get_logger()


class Probes:
    """The application: `/livez`, `/readyz`, `/metrics`."""

    def __init__(self, health: Health, figures: Metrics) -> None:
        self.health, self.figures = health, figures

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request. See ASGI."""
        status, kind, body = await self._answer(scope["method"], scope["path"])
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown})

    async def _answer(self, method: str, path: str) -> tuple[int, str, bytes]:
        if method not in {"GET", "HEAD"}:
            return 405, JSON, _json({"error": "only GET is answered"})
        match path:
            case "/livez":
                fault = self.health.fault
                return 503 if fault else 200, JSON, _json({"alive": not fault, "fault": fault})
            case "/readyz":
                state = self.health.state()
                return 200 if state["ready"] else 503, JSON, _json(state)
            case "/metrics":
                return 200, CONTENT_TYPE_LATEST, await self.figures.text()
        return 404, JSON, _json({"error": "there are /livez, /readyz and /metrics"})


class _Server(uvicorn.Server):
    """A server that is part of a process: signals are not its own."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


class _Connection(H11Protocol):
    """A connection that has a time for each request; others that dawdle take no place from it.

    uvicorn counts connections on which nobody has asked anything, and refuses whoever asks then:
    some clients that hang would have the process killed for a probe that was not answered.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if need be in place of the one that has waited longest."""
        super().connection_made(transport)
        self._await_request()
        if len(self.connections) > AT_ONCE:
            waiting = [one for one in self._others() if one.waits]
            oldest = min(waiting, key=lambda one: one.since, default=self)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Wait for another request."""
        super().on_response_complete()
        self._deadline.cancel()
        self._await_request()

    @property
    def waits(self) -> bool:
        """Whether no request is being answered."""
        return bool(getattr(self.cycle, "response_complete", True))  # none before the first

    def _others(self) -> Iterator["_Connection"]:
        return (one for one in self.connections if isinstance(one, _Connection) and one is not self)

    def _await_request(self) -> None:
        self.since = self.loop.time()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._late)

    def _late(self) -> None:
        if self.waits:
            self.transport.abort()


@asynccontextmanager
async def opened(probes: Probes, host: str, port: int) -> AsyncIterator[None]:
    """Answer on a port as long as the block runs; port 0: do not.

    Raises:
        SettingError: The address cannot be listened on.
    """
    if not port:
        yield
        return
    config = uvicorn.Config(
        probes,
        loop="none",
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=END_SECONDS,
    )
    server = _Server(config)
    with _listening(host, port) as listener:
        serving = asyncio.create_task(server.serve([listener]), name="probes")
        log.info("probes.opened", host=host, port=port)
        try:
            yield
        finally:
            server.should_exit = True
            await serving


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen here and not in the library, which ends the process where the port is taken."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        raise SettingError(
            f"the probes cannot listen on {host}:{port}: {error.strerror or error}; "
            "see probes.host and probes.port"
        ) from None
    with listener:
        listener.setblocking(False)
        yield listener


def _json(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
