"""A NATS server that tests may kill, and waiting without sleeping blindly."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from lockstep.bus.connection import Connection
from lockstep.bus.delivery import Delivery
from lockstep.bus.puller import Puller
from lockstep.bus.settings import BusSettings
from lockstep.model.verdicts import Verdict
from patience import LIMIT_SECONDS, looks, patience

Connecting = Callable[..., Awaitable[Connection]]
"""Makes a connection to the shared server; takes settings by name."""

BINARY = Path(sys.executable).parent / "nats-server"


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One `nats-server` process on a port that stays the same over restarts."""

    def __init__(self, folder: Path, *options: str, jetstream: bool = True) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._command = [str(BINARY), "-a", "127.0.0.1", "-p", str(self.port), *options]
        if jetstream:
            self._command += ["-js", "-sd", str(folder)]
        self._log = folder / "nats.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it greets."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=out)
        for _ in looks():
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                if probe.recv(4) == b"INFO":
                    return
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text())

    def kill(self) -> None:
        """End it without warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_SECONDS)
            self._process = None

    def reload(self) -> None:
        """Have it read its configuration again; it takes a moment."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGHUP)

    def halt(self) -> None:
        """Stop it in its tracks, and return when it stands."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def go_on(self) -> None:
        """Let it run again."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def settings(self, prefix: str, **others: object) -> BusSettings:
        """Settings for a connection to it."""
        given = {"servers": [self.url], "prefix": prefix, **others}
        return msgspec.convert(given, BusSettings)


async def take(puller: Puller, count: int) -> list[Delivery]:
    """Take exactly `count` messages."""
    taken: list[Delivery] = []
    async with patience():
        while len(taken) < count:
            taken += await puller.batch(count - len(taken))
    return taken


async def settle_all(puller: Puller, messages: Sequence[Delivery], verdict: Verdict) -> None:
    """Give all of them the same verdict."""
    for message in messages:
        await puller.settle(message, verdict)


async def raw(port: int, *frames: bytes) -> bytes:
    """Speak the protocol by hand: send frames, return all that comes until the PONG behind them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await reader.readline()
        writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
        writer.write(b"".join(frames) + b"PING\r\n")
        came = b""
        async with patience():
            while b"PONG" not in came:
                came += await reader.read(4096) or b"PONG"
        return came
    finally:
        writer.close()
        await writer.wait_closed()
