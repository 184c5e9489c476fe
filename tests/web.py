"""A real HTTP server of a test: it notes what it is asked, and answers what the test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request, as it came in."""

    method: str
    target: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Answer = bytes | Callable[[Asked], bytes | Awaitable[bytes]]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Write a whole response; `_` in the name of a header stands for `-`."""
    lines = [f"HTTP/1.1 {status} Whatever"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if "Content_Length" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def as_json(value: Any, status: int = 200, **headers: str) -> bytes:
    """Write a response whose body is JSON."""
    return answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)


@dataclass
class Web:
    """The server; `answers` by path, `/` for all others."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address, by number."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer all requests of a connection; an answer without a length ends it."""
        self.connections += 1
        while True:
            asked = await _read(reader)
            self.asked.append(asked)
            path = asked.target.partition("?")[0]
            said = self.answers.get(path) or self.answers.get("/") or answer()
            made = said(asked) if callable(said) else said
            made = made if isinstance(made, bytes) else await made
            writer.write(made)
            await writer.drain()
            if b"content-length" not in made.lower():
                return


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = [line.partition(": ") for line in head[1:] if line]
    headers = {name.lower(): value for name, _, value in pairs}
    assert len(headers) == len(pairs), f"a header stands twice: {head}"
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, target, headers, body)


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Start a server that handles each connection by `serve`, and close it whole; give its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(served(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def web(**answers: Answer) -> AsyncIterator[Web]:
    """Start a server; a keyword is a path without its slash."""
    one = Web(answers={f"/{path}": said for path, said in answers.items()})
    async with serving(one.serve) as one.port:
        yield one
