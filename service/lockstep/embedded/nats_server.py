"""The embedded NATS server."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import Signals
from typing import Final

import msgspec

from lockstep.embedded import packages
from lockstep.embedded.lock import LOCK_LIMIT_SECONDS, home_of, lock_folder
from lockstep.embedded.server import Command, Server, guarded, ready, set_aside

_NAME: Final = "embedded NATS server"
_ADDRESS: Final = "127.0.0.1"
_ANY_PORT: Final = -1  # as NATS says it

# Paths are written as JSON: NATS reads the same quotes and escapes.
_CONFIG: Final = """\
host: {address}
port: {port}
server_name: lockstep-embedded
ports_file_dir: {folder}
jetstream {{
  store_dir: {store}
  sync_interval: {sync}
}}
"""
# Streams have no second copy here: what is acknowledged must be on the disk.
_SYNC_DURABLE: Final = "always"
_SYNC_EPHEMERAL: Final = "2m"  # the server's default


class _Ports(msgspec.Struct):
    """The file in which the server says where it listens."""

    nats: list[str]


@asynccontextmanager
async def nats(
    folder: Path,
    *,
    ephemeral: bool = False,
    port: int | None = None,
    lock_limit_seconds: float = LOCK_LIMIT_SECONDS,
) -> AsyncIterator[Server]:
    """Run a NATS server with JetStream, its data under `folder`; end it at exit.

    It listens on loopback: at `port`, else where it did the last time, else on any free port.

    Raises:
        ServerUnfit: It is not installed, or does not start.
        Unavailable: It was not ready in time, or another process uses `folder` and still did
            after `lock_limit_seconds`.
    """
    program = packages.nats_server()
    home = home_of("nats", folder)
    async with lock_folder(home, lock_limit_seconds) as lock:
        command = _prepare(program, home, port, ephemeral=ephemeral)
        log = home / "log"
        async with guarded(command, lock, log) as guard:
            pid, address = await ready(_NAME, guard, log, lambda: _listening(home))
            (home / "port").write_text(address.rpartition(":")[2])
            yield Server(_NAME, address, pid, log, guard)


def _prepare(program: Path, home: Path, port: int | None, *, ephemeral: bool) -> Command:
    """Write the configuration and remove what an earlier server has left."""
    set_aside(home / "log")
    for stale in home.glob("*.ports"):
        stale.unlink()
    config = home / "nats.conf"
    config.write_text(
        _CONFIG.format(
            address=_ADDRESS,
            port=_port_of_last_time(home / "port") if port is None else port,
            folder=json.dumps(str(home), ensure_ascii=False),
            store=json.dumps(str(home / "store"), ensure_ascii=False),
            sync=_SYNC_EPHEMERAL if ephemeral else _SYNC_DURABLE,
        )
    )
    return Command(
        arguments=(str(program), "--config", str(config)),
        stop=Signals.SIGTERM,
        orphaned=Signals.SIGKILL,
    )


def _port_of_last_time(memory: Path) -> int:
    """Return the port that clients of this folder know, unless somebody else has it now."""
    if not memory.exists():
        return _ANY_PORT
    port = int(memory.read_text())
    with socket.socket() as probe:
        # As the server does: connections of its forerunner that are still timing out do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError:
            return _ANY_PORT
    return port


def _listening(home: Path) -> tuple[int, str] | None:
    """Return the server's process and address once it has written them down."""
    for file in home.glob("*.ports"):
        try:
            ports = msgspec.json.decode(file.read_bytes(), type=_Ports)
        except msgspec.DecodeError:
            return None  # it is still being written
        return int(file.stem.rpartition("_")[2]), ports.nats[0]
    return None
