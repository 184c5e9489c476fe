"""A scene for measuring: servers of our own, one engine as a process, and its automations."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lockstep import bus, embedded, store
from lockstep.bus import api
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
async def scene(folder: Path, *, floor: bool = False) -> AsyncIterator[Scene]:
    """Start servers that lose nothing when a process dies, and one engine, or the floor, on them.

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
        }
        arguments = ["lockstep.bench.floor"] if floor else ["lockstep", "serve"]
        log = folder / "engine.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *arguments, env={**os.environ, **settings}, stderr=output
            )
        try:
            nats = bus.BusSettings(servers=[servers.nats_url], name="bench")
            connection = await bus.connect(nats)
            try:
                ready = _pulling if floor else _answering
                await _until_ready(ready, connection, process, log)
                yield Scene(connection, bus.Publisher(connection))
            finally:
                await connection.close()
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            await process.wait()


async def _answering(connection: bus.Connection) -> bool:
    """Say whether an engine answers."""
    try:
        await bus.Client(connection).request("automations.list", b"{}", 1)
    except Unavailable:
        return False
    return True


async def _pulling(connection: bus.Connection) -> bool:
    """Say whether somebody waits for messages."""
    try:
        found = await consumer(connection)
    except EngineError:
        return False
    return int(found["num_waiting"]) > 0


async def consumer(connection: bus.Connection) -> JsonObject:
    """Ask for the state of the consumer group that all events of no lane go through."""
    names = connection.names
    return await api.call(connection, f"CONSUMER.INFO.{names.triggers_stream}.{names.consumer()}")


async def _until_ready(
    ready: Callable[[bus.Connection], Awaitable[bool]],
    connection: bus.Connection,
    process: asyncio.subprocess.Process,
    log: Path,
) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not await ready(connection):
            if process.returncode is not None:
                said = log.read_text().strip()[-1000:]  # noqa: ASYNC240 - the end of it all
                raise BenchFailed(f"the engine ended with {process.returncode}: {said}")
            await asyncio.sleep(0.1)
