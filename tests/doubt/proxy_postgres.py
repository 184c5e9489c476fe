"""A proxy between the engine and PostgreSQL that knows which query each exchange is."""

import asyncio
import re
import struct
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from doubt.fates import PASS, Exchange, Fate, Pair, Proxy, Stream, pumped
from lockstep.store.queries import QUERIES, Query

_SSL, _CANCEL, _GSS = 80877103, 80877102, 80877104
_BY_TEXT: Final = {found.text: found for found in QUERIES.values()}
_SHOWN: Final = 60  # characters of a statement that is no query of ours
_WRITES: Final = re.compile(
    r"\b(?:insert into|delete from|truncate)\b|(?<!for )(?<!key )(?<!do )\bupdate\b", re.IGNORECASE
)
_NO_CODE: Final = re.compile(r"--.*|'[^']*'")


def writes(query: Query) -> bool:
    """Tell whether a query changes rows. Locking them changes nothing that lasts."""
    return _WRITES.search(_NO_CODE.sub("", query.text)) is not None


WRITES: Final = frozenset(name for name, found in QUERIES.items() if writes(found))


class PostgresProxy(Proxy):
    """Speaks for a server on a Unix socket, as the embedded one is."""

    def __init__(self, dsn: str) -> None:
        super().__init__()
        self._at = urlsplit(dsn)

    @property
    def dsn(self) -> str:
        """The DSN of the same database, by way of this proxy."""
        name = f"{self._at.username}@127.0.0.1:{self.port}"
        return f"postgresql://{name}{self._at.path}?sslmode=disable"

    async def dial(self) -> Stream:
        """See `Proxy`."""
        options = parse_qs(self._at.query)
        socket = f"{options['host'][0]}/.s.PGSQL.{options['port'][0]}"
        return await asyncio.open_unix_connection(socket)

    async def talk(self, client: Stream, server: Stream, pair: Pair) -> None:
        """See `Proxy`."""
        code, packet = 0, b""
        while code in {0, _SSL, _GSS}:
            if code:
                client[1].write(b"N")
            size = await client[0].readexactly(4)
            packet = size + await client[0].readexactly(struct.unpack("!i", size)[0] - 4)
            (code,) = struct.unpack_from("!i", packet, 4)
        server[1].write(packet)
        if code != _CANCEL:
            session = _Session(self, client, server, pair)
            await pumped(session.requests(), session.answers())


class _Session:
    """A connection that has said who it is."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream, pair: Pair) -> None:
        self._proxy, self._client, self._server, self._pair = proxy, client, server, pair
        self._statements: dict[bytes, str] = {}  # text by name
        self._is_in_transaction = False
        self._transaction: set[str] = set()  # the marks of what it has done
        self._marks: set[str] = set()  # of a batch
        self._texts: list[str] = []  # of a batch
        self._unanswered: deque[tuple[Exchange, Fate]] = deque()

    async def requests(self) -> None:
        """Pass on what the client asks, batch by batch."""
        batch = bytearray()
        async for kind, body in _messages(self._client[0]):
            batch += kind + struct.pack("!i", len(body) + 4) + body
            self._note(kind, body)
            if kind in b"SQ":
                await self._ask(bytes(batch))
            elif kind in b"PBDEC":
                continue  # the rest of its batch comes at once
            else:
                self._server[1].write(batch)
            batch.clear()

    async def answers(self) -> None:
        """Pass on what the server answers, or what is left of it."""
        frames, has_changed = bytearray(), False
        async for kind, body in _messages(self._server[0]):
            frames += kind + struct.pack("!i", len(body) + 4) + body
            has_changed = has_changed or _is_change(kind, body)
            if self._unanswered and kind == b"Z":
                self._follow(kind, body)
                exchange, fate = self._unanswered.popleft()
                fate = self._proxy.struck(exchange, fate) if has_changed else PASS
                await asyncio.sleep(fate.hold_answer_seconds)
                if fate.answered:
                    self._client[1].write(frames)
                self._proxy.end(self._pair, fate)
            elif self._unanswered and self._unanswered[0][1] != PASS:
                continue  # until all of the answer is here
            else:
                self._follow(kind, body)
                self._client[1].write(frames)
            has_changed = has_changed and kind != b"Z"
            frames.clear()

    def _follow(self, kind: bytes, body: bytes) -> None:
        if kind == b"Z":
            self._is_in_transaction = body != b"I"
            if not self._is_in_transaction:
                self._transaction.clear()

    async def _ask(self, batch: bytes) -> None:
        """Let the arbiter say what becomes of a batch."""
        if not self._texts:
            self._server[1].write(batch)  # a mere Sync
            return
        exchange = self._exchange()
        fate = self._proxy.fate(exchange)
        await asyncio.sleep(fate.hold_seconds)
        if fate.reaches:
            self._unanswered.append((exchange, fate))
            self._server[1].write(batch)
        else:
            self._proxy.end(self._pair, fate)

    def _exchange(self) -> Exchange:
        text, marks = "; ".join(self._texts), frozenset(self._marks)
        self._texts.clear()
        self._marks.clear()
        if text.lower().startswith("commit"):
            marks = frozenset({"commit", *self._transaction})
            return Exchange(text, marks, is_durable=bool(marks & WRITES))
        self._transaction |= marks
        return Exchange(text, marks, not self._is_in_transaction and bool(marks & WRITES))

    def _note(self, kind: bytes, body: bytes) -> None:
        """Note what is asked for."""
        if kind == b"Q":
            self._name(body.rstrip(b"\0").decode(), b"")
        elif kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._statements[name] = text.decode()
        elif kind == b"B":
            _, name, bound = body.split(b"\0", 2)
            self._name(self._statements[name], bound)

    def _name(self, text: str, bound: bytes) -> None:
        query = _BY_TEXT.get(text)
        if query is None:
            self._texts.append(text.strip()[:_SHOWN])
        else:
            self._texts.append(query.name)
            self._marks |= marks_of(query, list(_parameters(bound)) if bound else [])


def _is_change(kind: bytes, body: bytes) -> bool:
    """Tell whether a part of an answer says that the server has found, or done, something."""
    if kind == b"D":
        return not _is_count_alone(body)
    words = body.rstrip(b"\0").split()
    return kind == b"C" and words[0] != b"SELECT" and words[-1] != b"0"


def _is_count_alone(row: bytes) -> bool:
    """Tell whether a row is that of a claim which finds nothing: a count, then only nulls."""
    columns, first = struct.unpack_from("!hi", row) if len(row) > 6 else (0, -1)
    return first == 8 and columns > 9 and row[14:] == b"\xff" * 4 * (columns - 1)


def marks_of(query: Query, values: Sequence[bytes | None]) -> set[str]:
    """Give the name of a query, and what it stores as a status; of groups that of the first."""
    place = 0
    for name, types in query.parameters.items():
        columns = [name] if isinstance(types, str) else list(types)
        if "status" in columns:
            value = values[place + columns.index("status")] or b""
            found = _texts(value) if isinstance(types, dict) else {value.decode()}
            return {query.name, *(f"{query.name}={status}" for status in found)}
        place += len(columns)
    return {query.name}


def _parameters(bound: bytes) -> Iterator[bytes | None]:
    """Read the values of a Bind, behind its names."""
    (formats,) = struct.unpack_from("!h", bound)
    at = 2 + 2 * formats
    (count,) = struct.unpack_from("!h", bound, at)
    at += 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", bound, at)
        at += 4
        yield None if size < 0 else bound[at : at + size]
        at += max(size, 0)


def _texts(array: bytes) -> set[str]:
    """Read the different elements of an array of texts in its binary form."""
    dimensions, _, _ = struct.unpack_from("!iii", array)
    if not dimensions:
        return set()
    (count,) = struct.unpack_from("!i", array, 12)
    found, at = set(), 20
    for _ in range(count):
        (size,) = struct.unpack_from("!i", array, at)
        found.add(array[at + 4 : at + 4 + size].decode() if size >= 0 else "")
        at += 4 + max(size, 0)
    return found


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    """Read messages of the protocol until the other side ends."""
    while True:
        head = await reader.readexactly(5)
        (size,) = struct.unpack_from("!i", head, 1)
        yield head[:1], await reader.readexactly(size - 4)
