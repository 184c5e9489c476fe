"""A primary and a standby that has all that was committed, to be promoted when a test wants it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Final

import asyncpg

from bus.helpers import free_port
from databases import on_server
from lockstep.embedded import packages
from lockstep.embedded.lock import lock_folder
from lockstep.embedded.server import Command, finish, guarded
from lockstep.store.migrate import migrate
from patience import LIMIT_SECONDS, until

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # its path may be too long
    "fsync": "off",
    "max_connections": "60",
}


@dataclass
class Node:
    """One PostgreSQL server."""

    folder: Path
    lock: int
    port: int = field(default_factory=free_port)
    running: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def dsn(self) -> str:
        """It alone, whatever it is."""
        return f"postgresql://lockstep@127.0.0.1:{self.port}/postgres"

    async def start(self) -> None:
        """Start it on its data, and return when it answers."""
        log = self.folder / "log"
        settings = {**_SETTINGS, "port": self.port}
        command = self._command(
            "postgres",
            *("-D", str(self._data)),
            *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
        )
        guard = await self.running.enter_async_context(guarded(command, self.lock, log))

        async def answers() -> bool:
            assert guard.returncode is None, log.read_text()
            with suppress(OSError, asyncpg.CannotConnectNowError):
                await self.do("select")
                return True
            return False

        await until(answers)

    async def stop(self) -> None:
        """End it: its sessions are closed, with what they wait for."""
        await self.running.aclose()

    async def run(self, program: str, *arguments: str) -> None:
        """Run a program that makes the data of this server."""
        self._data.mkdir(mode=0o700, parents=True)
        command = self._command(program, *arguments, "-D", str(self._data), "-U", "lockstep")
        await finish(program, command, self.lock, self.folder / "log", LIMIT_SECONDS)

    async def do(self, statement: str) -> None:
        """Execute a statement here."""
        await on_server(self.dsn, statement)

    async def set(self, name: str, value: str) -> None:
        """Change a setting for all sessions, also those that are there."""
        await self.do(f"alter system set {name} = '{value}'")
        await self.do("select pg_reload_conf()")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _command(self, program: str, *arguments: str) -> Command:
        return Command(
            arguments=(str(packages.postgres_programs() / program), *arguments),
            stop=Signals.SIGINT,
            orphaned=Signals.SIGQUIT,
            unprivileged=self._data,
        )


@dataclass
class Nodes:
    """The two of them."""

    primary: Node
    standby: Node

    async def is_synchronous(self) -> bool:
        """Whether a commit waits for the standby."""
        connection = await asyncpg.connect(self.primary.dsn)
        try:
            found = await connection.fetchval("select sync_state from pg_stat_replication")
        finally:
            await connection.close()
        return bool(found == "sync")


@asynccontextmanager
async def open_nodes(folder: Path) -> AsyncIterator[Nodes]:
    """Start both, migrated; a commit on the primary waits until the standby has it."""
    async with lock_folder(folder, LIMIT_SECONDS) as lock:
        nodes = Nodes(*(Node(folder / name, lock) for name in ("primary", "standby")))
        primary, standby = nodes.primary, nodes.standby
        async with primary.running, standby.running:
            await primary.run("initdb", "--auth=trust", "--encoding=UTF8", "--locale=C")
            await primary.start()
            await migrate(primary.dsn)
            await standby.run(
                "pg_basebackup", "-R", "-c", "fast", "-h", "127.0.0.1", "-p", str(primary.port)
            )
            await standby.start()
            await primary.set("synchronous_standby_names", "*")
            await until(nodes.is_synchronous)
            yield nodes
