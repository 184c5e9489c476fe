"""Finds out that the client is dead though it does not know, or cannot come back though it could.

nats-py can lose its read loop and still count as connected, and can hang in a reconnect. What is
known to cause it is mended in `wire`; for the rest reconnects are forced, with credentials that are
read anew. The engine exits when that has not helped for `nats.give_up_seconds`.
"""

import asyncio
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
"""Probes in a row without an answer, until a reconnect is forced, and forced again."""
STUCK_SECONDS: Final = 20.0
"""How long a server may greet strangers while our client reconnects, until that is begun anew."""


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
    """Probe until the connection is closed; help the client where it is dead or stuck.

    Close it for good when that has not helped for as long as the settings say. A NATS that is
    away is no reason: a new process would not find it either.
    """
    loop = asyncio.get_running_loop()
    failures, lost, kicked_at = 0, 0.0, loop.time()
    while not connection.closed.is_set():
        begun, is_well = loop.time(), False
        await asyncio.sleep(every)
        if connection.connected:
            failures = 0 if await _answers(connection, answer) else failures + 1
            connection.alive = failures == 0
            if not failures:
                is_well, kicked_at = True, loop.time()
            elif failures % FAILURES == 0:
                log.warning("bus.reconnect_forced", server=connection.server)
                await connection.wire.force_reconnect()
        elif not await _reachable(connection, answer):
            is_well, kicked_at = True, loop.time()
        elif loop.time() - kicked_at > stuck and not connection.connected:
            log.warning("bus.reconnect_forced", server=connection.server)
            connection.wire.kick()
            kicked_at = loop.time()
        # A process that stood still for long has not been refused meanwhile: each look counts for
        # what it takes.
        lost = 0.0 if is_well else lost + min(loop.time() - begun, every + 2 * answer)
        if lost > connection.settings.give_up_seconds:
            state = "has no answer" if connection.connected else "is not let in"
            connection.give_up(f"NATS is there, and the client {state}, for {lost:.0f} s")


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
