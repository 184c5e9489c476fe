"""What a proxy can do to an exchange between the engine and a server."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal, Self, TypeAlias

# A socket that is closed so sends a reset: what was on its way is lost.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, or one message; `marks` are what a fate is chosen by.

    In PostgreSQL a mark is the name of a query, or `name=status` for each status that it stores;
    a commit has the marks of all statements of its transaction. In NATS it is a verb and a subject.
    """

    text: str  # for whoever reads what has happened
    marks: frozenset[str]
    is_durable: bool = False  # the server keeps what it has changed here


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an exchange: first it is held, then it reaches the server or does not."""

    reaches: bool = True
    answered: bool = True
    resets: Literal["", "one", "all"] = ""  # when the server has answered, if it is reached
    hold_seconds: float = 0.0
    hold_answer_seconds: float = 0.0


PASS: Final = Fate()
WITHHELD: Final = Fate(reaches=False, answered=False)
SWALLOWED: Final = Fate(answered=False)
RESET_BEFORE: Final = replace(WITHHELD, resets="one")
RESET_AFTER: Final = replace(SWALLOWED, resets="one")
ALL_BEFORE: Final = replace(WITHHELD, resets="all")
ALL_AFTER: Final = replace(SWALLOWED, resets="all")


def held(seconds: float) -> Fate:
    """Let the server have it so much later."""
    return Fate(hold_seconds=seconds)


def answer_held(seconds: float) -> Fate:
    """Let the client hear of it so much later."""
    return Fate(hold_answer_seconds=seconds)


class Judge:
    """Says what becomes of exchanges; this one lets all pass."""

    def fate(self, exchange: Exchange) -> Fate:
        """Say what is to become of an exchange."""
        del exchange
        return PASS

    def strikes(self, exchange: Exchange) -> bool:
        """Say whether its fate is done to an exchange that has changed something, or may have."""
        del exchange
        return True


@dataclass
class Once(Judge):
    """Gives a fate to the nth exchange with a mark, and lets all others pass.

    It strikes at what changes something only: a read has the mark of its query too.
    """

    mark: str
    wanted: Fate
    nth: int = 1
    durable: bool = True
    found: int = 0
    struck: list[Exchange] = field(default_factory=list)
    _asked: list[Exchange] = field(default_factory=list)

    def fate(self, exchange: Exchange) -> Fate:
        """See `Judge`."""
        if self.mark not in exchange.marks or (self.durable and not exchange.is_durable):
            return PASS
        self.found += 1
        if self.found < self.nth or self.struck:
            return PASS
        self._asked.append(exchange)
        return self.wanted

    def strikes(self, exchange: Exchange) -> bool:
        """See `Judge`."""
        if self.struck or not any(one is exchange for one in self._asked):
            return False
        self.struck.append(exchange)
        return True


@dataclass
class Several(Judge):
    """Gives an exchange the fate that the first of several judges has for it."""

    judges: Sequence[Once]

    def fate(self, exchange: Exchange) -> Fate:
        """See `Judge`."""
        return next((fate for one in self.judges if (fate := one.fate(exchange)) != PASS), PASS)

    def strikes(self, exchange: Exchange) -> bool:
        """See `Judge`."""
        return any(one.strikes(exchange) for one in self.judges)


Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _unheard(_: Exchange) -> None:
    """Let nobody hear of it."""


class Proxy:
    """Listens for clients of a server; its arbiter says what becomes of what they exchange.

    Attributes:
        arbiter: Asked for each exchange; it may be changed at any time.
        is_open: Whether new connections are let in.
        heard: Called with each exchange.
    """

    def __init__(self) -> None:
        self.arbiter, self.heard = Judge(), _unheard
        self.is_open = True
        self.port = 0
        self._sessions: dict[Pair, asyncio.Task[None]] = {}

    async def dial(self) -> Stream:
        """Connect to the server."""
        raise NotImplementedError

    async def talk(self, client: Stream, server: Stream, pair: "Pair") -> None:
        """Pass on what either says until one ends."""
        raise NotImplementedError

    def fate(self, exchange: Exchange) -> Fate:
        """Ask the arbiter. What the server is not to have is struck now; else see `struck`."""
        self.heard(exchange)
        found = self.arbiter.fate(exchange)
        return found if found.reaches or self.arbiter.strikes(exchange) else PASS

    def struck(self, exchange: Exchange, fate: Fate) -> Fate:
        """Ask the arbiter again when the server has answered, and has changed something."""
        return fate if fate != PASS and self.arbiter.strikes(exchange) else PASS

    def end_all(self) -> None:
        """Reset all connections."""
        for pair in list(self._sessions):
            pair.reset()

    def end(self, pair: "Pair", fate: Fate) -> None:
        """Reset what a fate says."""
        if fate.resets == "all":
            self.end_all()
        elif fate.resets == "one":
            pair.reset()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """Listen; at the end no connection is left."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            left = list(self._sessions.values())
            self.end_all()
            if left:
                await asyncio.wait(left)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = Pair((reader, writer))
        task = asyncio.current_task()
        assert task is not None
        if not self.is_open:
            pair.reset()
            return
        self._sessions[pair] = task
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                pair.server = await self.dial()
                await self.talk(pair.client, pair.server, pair)
        finally:
            del self._sessions[pair]
            pair.reset()


class Pair:
    """A client's connection and that to the server."""

    def __init__(self, client: Stream) -> None:
        self.client = client
        self.server: Stream | None = None

    def reset(self) -> None:
        """End both at once; what was on its way to the client is lost."""
        client = self.client[1].transport
        own = client.get_extra_info("socket")
        if own is not None and not client.is_closing():
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        client.abort()
        if self.server is not None:
            self.server[1].transport.abort()


async def pumped(*pumps: Coroutine[object, object, None]) -> None:
    """Run the pumps of a connection until one ends; then the others end too."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
