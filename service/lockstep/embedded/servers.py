"""Both servers at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from lockstep.embedded.lock import LOCK_LIMIT_SECONDS
from lockstep.embedded.nats_server import nats
from lockstep.embedded.postgres_server import postgres
from lockstep.embedded.server import Server
from lockstep.model.errors import Unavailable


class Servers(msgspec.Struct, frozen=True):
    """Both embedded servers, ready."""

    nats: Server
    postgres: Server

    @property
    def nats_url(self) -> str:
        """Where NATS listens."""
        return self.nats.address

    @property
    def postgres_dsn(self) -> str:
        """Where PostgreSQL listens, with user and database."""
        return self.postgres.address

    async def wait_failed(self) -> Unavailable:
        """Wait until one of them ends though nobody asked it to, and return what to raise."""
        waiting = [
            asyncio.create_task(server.wait_failed()) for server in (self.nats, self.postgres)
        ]
        try:
            ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return ended.pop().result()


@asynccontextmanager
async def start(
    folder: Path, *, ephemeral: bool = False, lock_limit_seconds: float = LOCK_LIMIT_SECONDS
) -> AsyncIterator[Servers]:
    """Run both servers with their data under `folder`; end them at exit.

    With `ephemeral` a power cut may cost all data: for tests. The death of a server or of this
    process costs nothing that was acknowledged.

    Raises:
        ServerUnfit: One is not installed, or does not start.
        Unavailable: One was not ready in time, or another process uses `folder` and still did
            after `lock_limit_seconds`.
    """
    # The locks are taken in the same order by everyone, so two starts cannot block one another.
    async with (
        postgres(folder, ephemeral=ephemeral, lock_limit_seconds=lock_limit_seconds) as database,
        nats(folder, ephemeral=ephemeral, lock_limit_seconds=lock_limit_seconds) as bus,
    ):
        yield Servers(nats=bus, postgres=database)
