"""A proxy between the engine and NATS that knows the subjects of what they say."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from doubt.fates import PASS, Exchange, Fate, Pair, Proxy, Stream, pumped

_OWN: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9_-]*\d[A-Za-z0-9_-]*|\w{20,}")
_SHOWN: Final = 6  # words of a subject


class NatsProxy(Proxy):
    """Speaks for a server. What has an answer is struck with it, all else when it was taken."""

    def __init__(self, url: str, prefix: str) -> None:
        super().__init__()
        self._at = urlsplit(url)
        self.prefix = prefix

    @property
    def url(self) -> str:
        """The same server, by way of this proxy."""
        return f"nats://127.0.0.1:{self.port}"

    async def dial(self) -> Stream:
        """See `Proxy`."""
        return await asyncio.open_connection(self._at.hostname, self._at.port)

    async def talk(self, client: Stream, server: Stream, pair: Pair) -> None:
        """See `Proxy`."""
        session = _Session(self, client, server, pair)
        await pumped(session.requests(), session.answers())

    def mark(self, verb: str, subject: str) -> str:
        """Give a subject without what is different each time."""
        words = subject.split(".")
        kept = words[:4] if subject.startswith("$JS.ACK.") else words[:_SHOWN]
        shown = [re.sub(self.prefix, "lockstep", word, flags=re.IGNORECASE) for word in kept]
        return f"{verb} {'.'.join('*' if _OWN.fullmatch(word) else word for word in shown)}"


class _Session:
    """One connection."""

    def __init__(self, proxy: NatsProxy, client: Stream, server: Stream, pair: Pair) -> None:
        self._proxy, self._client, self._server, self._pair = proxy, client, server, pair
        self._awaited: dict[str, tuple[Exchange, Fate]] = {}  # by the subject of the answer
        self._pings: deque[tuple[Exchange, Fate] | None] = (
            deque()
        )  # ours have a fate: all before it was taken

    async def requests(self) -> None:
        """Pass on what the client says."""
        async for words, frame in _frames(self._client[0]):
            verb = words[0].upper()
            if verb in {"PUB", "HPUB"}:
                await self._publish(words, frame)
                continue
            if verb == "PING":
                self._pings.append(None)
            self._server[1].write(frame)

    async def _publish(self, words: list[str], frame: bytes) -> None:
        sizes = 1 if words[0].upper() == "PUB" else 2
        reply = words[2] if len(words) > 2 + sizes else ""
        mark = self._proxy.mark("PUB", words[1])
        exchange = Exchange(words[1], frozenset({mark}), is_durable=True)
        fate = self._proxy.fate(exchange)
        await asyncio.sleep(fate.hold_seconds)
        if not fate.reaches:
            self._proxy.end(self._pair, fate)
            return
        if reply and fate != PASS:
            self._awaited[reply] = exchange, fate
        self._server[1].write(frame)
        if fate.resets and not reply:
            self._pings.append((exchange, fate))
            self._server[1].write(b"PING\r\n")

    async def answers(self) -> None:
        """Pass on what the server says."""
        async for words, frame in _frames(self._server[0]):
            verb = words[0].upper()
            if verb in {"MSG", "HMSG"}:
                await self._deliver(words[1], frame)
                continue
            judged = self._pings.popleft() if verb == "PONG" and self._pings else None
            if judged is None:
                self._client[1].write(frame)
            else:
                self._proxy.end(self._pair, self._proxy.struck(*judged))

    async def _deliver(self, subject: str, frame: bytes) -> None:
        judged = self._awaited.pop(subject, None)
        if judged is None:
            mark = self._proxy.mark("MSG", subject)
            fate = self._proxy.fate(Exchange(subject, frozenset({mark})))
            await asyncio.sleep(fate.hold_seconds)
        else:
            fate = self._proxy.struck(*judged)
            await asyncio.sleep(fate.hold_answer_seconds)
        if fate.reaches and fate.answered:
            self._client[1].write(frame)
        self._proxy.end(self._pair, fate)


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[list[str], bytes]]:
    """Read lines, each with the body that it announces, until the other side ends."""
    while True:
        line = await reader.readuntil(b"\r\n")
        words = line.decode().split()
        if words and words[0].upper() in {"PUB", "HPUB", "MSG", "HMSG"}:
            line += await reader.readexactly(int(words[-1]) + 2)
        yield words, line
