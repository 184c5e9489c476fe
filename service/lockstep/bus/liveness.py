"""Finds out that the client is dead though it does not know, or cannot come back though it could.

nats-py can lose its read loop and still count as connected, and can hang in a reconnect. What is
known to cause it is mended in `wire`; for the rest a forced reconnect is tried, then the engine
exits.
"""

import asyncio
import time
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from lockstep.bus.api import Askable
from lockstep.bus.settings import BusSettings
from lockstep.bus.wire import Wire
from lockstep.model.errors import Unavailable

log = structlog.get_logger()

EVERY_SECONDS: Final = 5.0  # two rounds without an answer are 16 s: less than an ack wait
# A server that is alive answers in milliseconds, a busy one in a second.
ANSWER_SECONDS: Final = 3.0
FAILURES: Final = 2
"""Probes in a row without an answer, until a reconnect is forced; one more, and it is over."""
STUCK_SECONDS: Final = 20.0
"""How long a server may answer strangers while our client is still reconnecting."""


class Watched(Askable, Protocol):
    """The connection that is probed."""

    alive: bool

    @property
    def settings(self) -> BusSettings:
        """Where its servers are."""
        ...

    @property
    def wire(self) -> Wire:
        """The client beneath it."""
        ...

    @property
    def closed(self) -> asyncio.Event:
        """Set when it is over for good."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the client counts as connected."""
        ...

    @property
    def server(self) -> str:
        """Where it is, or tries to be; without credentials."""
        ...

    def give_up(self, reason: str) -> None:
        """Declare it closed for good."""
        ...


async def watch(
    connection: Watched,
    *,
    every: float = EVERY_SECONDS,
    answer: float = ANSWER_SECONDS,
    stuck: float = STUCK_SECONDS,
) -> None:
    """Probe until the connection is closed; close it for good when it is dead or stuck."""
    failures, reachable_since = 0, 0.0
    while not connection.closed.is_set():
        await asyncio.sleep(every)
        if connection.connected:
            reachable_since = 0.0
            failures = 0 if await _answers(connection, answer) else failures + 1
            connection.alive = failures == 0
            if failures > FAILURES:
                connection.give_up(f"connected, but {failures} probes had no answer")
            elif failures == FAILURES:
                log.warning("bus.reconnect_forced", server=connection.server)
                await connection.wire.force_reconnect()
        elif not await _reachable(connection, answer):
            reachable_since = 0.0
        elif not reachable_since:
            reachable_since = time.monotonic()
        elif time.monotonic() - reachable_since > stuck:
            connection.give_up("NATS is there, but the client does not come back to it")


async def _answers(connection: Watched, seconds: float) -> bool:
    """Ask for the account; also true when the connection broke meanwhile or other messages came."""
    wire = connection.wire
    reconnects, received = wire.stats["reconnects"], wire.stats["in_msgs"]
    try:
        await connection.ask("$JS.API.INFO", b"", b"", seconds)
    except Unavailable as error:
        if not connection.connected or wire.stats["reconnects"] != reconnects:
            return True
        log.warning("bus.probe_failed", error=error)
        # JetStream is silent, the client is not: to exit would not help.
        return wire.stats["in_msgs"] != received
    return True


async def _reachable(connection: Watched, seconds: float) -> bool:
    """Whether any server greets a fresh connection."""
    for url in connection.settings.servers:
        parts = urlsplit(url if "://" in url else f"nats://{url}")
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 4222)
                try:
                    if (await reader.read(4)) == b"INFO":
                        return True
                finally:
                    writer.close()
        except OSError:
            continue
    return False
