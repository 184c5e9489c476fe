"""Poolers before PostgreSQL, as far as a client sees them: one of sessions, one of transactions.

Each refuses parameters of the start that it does not know, as PgBouncer does. It also stands for a
host of its own, which can be silent.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

KNOWN: Final = {"user", "database", "client_encoding", "application_name", "datestyle", "timezone"}
TLS, GSS, CANCEL = 80877103, 80877104, 80877102  # what a client may ask for in place of a start
# What the server says last to a query, a sync, and a flush behind what is to be described.
ENDS: Final = {b"Q": (b"Z",), b"S": (b"Z",), b"H": (b"T", b"n", b"E")}
Mode = Literal["session", "transaction", "silent"]


@dataclass
class Process:
    """A connection to the server itself, and what it said at the login."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeting: bytes


@dataclass
class Pooler:
    """Listens on a port of its own, before the database of `dsn`."""

    dsn: str
    mode: Mode
    port: int = 0
    dialled: int = 0
    refused: list[str] = field(default_factory=list)
    _free: list[Process] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where the database is found through it."""
        parts = urlsplit(self.dsn)
        return f"postgresql://{parts.username}@127.0.0.1:{self.port}{parts.path}"

    def break_all(self) -> None:
        """End all connections."""
        for one in self._writers:
            one.close()
        self._writers, self._free = [], []

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client until it goes."""
        self._writers.append(writer)
        self.dialled += 1
        try:
            with suppress(asyncio.IncompleteReadError, OSError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "silent":
            await reader.read()
            return
        start = await _start(reader, writer)
        if start is None:
            return
        unknown = sorted({*_parameters(start)} - KNOWN)
        if unknown:
            self.refused += unknown
            writer.write(_error(f"unsupported startup parameter: {unknown[0]}"))
            return
        process = await self._process(start)
        writer.write(process.greeting)
        if self.mode == "session":
            await _bound(process, reader, writer)
        else:
            self._free.append(process)
            await self._lent(start, reader, writer)

    async def _process(self, start: bytes) -> Process:
        if self._free:
            return self._free.pop()
        (folder,) = parse_qs(urlsplit(self.dsn).query)["host"]
        reader, writer = await asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")
        self._writers.append(writer)
        writer.write(start)
        greeting, kind = b"", b""
        while kind != b"Z":
            kind, body = await _message(reader)
            greeting += _packed(kind, body)
        return Process(reader, writer, greeting)

    async def _lent(
        self, start: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Lend a process for each transaction: the one that was given back last."""
        lent: Process | None = None
        while True:
            kind, body = await _message(reader)
            if kind == b"X":
                return
            lent = lent or await self._process(start)
            lent.writer.write(_packed(kind, body))
            if kind not in ENDS:
                continue
            ends = ENDS[kind]
            while kind not in ends:
                kind, body = await _message(lent.reader)
                writer.write(_packed(kind, body))
            if (kind, body) == (b"Z", b"I"):
                self._free.append(lent)
                lent = None


@asynccontextmanager
async def pooler(dsn: str, mode: Mode) -> AsyncIterator[Pooler]:
    """Have a pooler before a database that is reached by the socket of its server."""
    opened = Pooler(dsn, mode)
    server = await asyncio.start_server(opened.client, "127.0.0.1", 0)
    opened.port = server.sockets[0].getsockname()[1]
    try:
        yield opened
    finally:
        server.close()
        opened.break_all()


async def _start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """Read how a client begins; TLS is not offered, and to cancel nothing is done."""
    while True:
        head = await reader.readexactly(8)
        size, code = struct.unpack("!ii", head)
        body = await reader.readexactly(size - 8)
        if code == CANCEL:
            return None
        if code not in (TLS, GSS):
            return head + body
        writer.write(b"N")


def _parameters(start: bytes) -> dict[str, str]:
    words = start[8:].rstrip(b"\0").decode().split("\0")
    return dict(zip(words[::2], words[1::2], strict=True))


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    (size,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(size - 4)


def _packed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _error(text: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": "08P01", "M": text}
    body = b"".join(f"{key}{value}\0".encode() for key, value in fields.items())
    return _packed(b"E", body + b"\0")


async def _bound(
    process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Leave a client its process until either goes."""
    ways = _copy(reader, process.writer), _copy(process.reader, writer)
    await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
