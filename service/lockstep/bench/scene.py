"""A scene for measuring: servers of our own, one engine as a process, and its automations."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lockstep import bus, embedded, store
from lockstep.model.errors import EngineError, Unavailable
from lockstep_schemas.base import Json, JsonObject

START_SECONDS: Final = 30.0


class BenchFailed(EngineError):
    """The engine under measurement did not do what it must; no figure is given."""

    code = "bench.failed"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where to publish and to listen."""

    connection: bus.Connection
    publisher: bus.Publisher

    async def create(self, name: str, event: str, actions: Sequence[JsonObject]) -> str:
        """Store an automation on `event`; give its id."""
        definition = {
            "name": name,
            "triggers": [{"event": event}],
            "mode": "parallel",
            "max_runs": 1000,
            "actions": actions,
        }
        body = msgspec.json.encode({"name": name, "definition": definition})
        reply = await bus.Client(self.connection).request("automations.create", body, 10)
        if reply.error_code:
            raise BenchFailed(f"the automation of the benchmark was refused: {reply.error}")
        stored: Mapping[str, Json] = msgspec.json.decode(reply.body)
        return str(stored["id"])


@asynccontextmanager
async def scene(folder: Path, **engine: object) -> AsyncIterator[Scene]:
    """Start servers that lose nothing when a process dies, and one engine beside them.

    The data of the servers is in `folder`. The servers do not wait for the disk at each commit:
    disks differ more between machines than engines do.
    """
    async with embedded.start(folder, ephemeral=True) as servers:
        await store.migrate(servers.postgres_dsn)
        settings = {
            "LOCKSTEP_NATS__SERVERS": servers.nats_url,
            "LOCKSTEP_POSTGRES__DSN": servers.postgres_dsn,
            "LOCKSTEP_ENGINE__CATALOG": "open",
            "LOCKSTEP_ENGINE__STUB_ACTIONS": "true",
            "LOCKSTEP_LOG__LEVEL": "error",
            **{f"LOCKSTEP_ENGINE__{name.upper()}": str(value) for name, value in engine.items()},
        }
        output = (folder / "engine.log").open("wb")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "lockstep", "serve", env={**os.environ, **settings}, stderr=output
        )
        output.close()
        try:
            connection = await bus.connect(
                bus.BusSettings(servers=[servers.nats_url], name="bench")
            )
            try:
                await _answering(connection, process, folder / "engine.log")
                yield Scene(connection, bus.Publisher(connection))
            finally:
                await connection.close()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _answering(
    connection: bus.Connection, engine: asyncio.subprocess.Process, output: Path
) -> None:
    """Wait until the engine answers."""
    client = bus.Client(connection)
    async with asyncio.timeout(START_SECONDS):
        while True:
            if engine.returncode is not None:
                said = output.read_text().strip()[-1000:]  # noqa: ASYNC240 - the end of it all
                raise BenchFailed(f"the engine ended with {engine.returncode}: {said}")
            try:
                await client.request("automations.list", b"{}", 1)
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return
