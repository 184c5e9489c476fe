"""An environment for measuring: servers, engines as processes on them, and automations."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from lockstep import bus, embedded, store
from lockstep.bench.errors import BenchFailed
from lockstep.bench.process import Replica
from lockstep.bus import api
from lockstep.model.errors import EngineError, Unavailable
from lockstep_schemas.base import Json, JsonObject

# A start takes a second, on a busy machine ten; only what hangs takes this.
START_SECONDS: Final = 60.0
PUBLISHES_AT_ONCE: Final = 128  # round trips are shared, and the bus always has some to do
READY: Final = b"engine.started"


@dataclass(frozen=True, slots=True)
class BenchEvent:
    """An event to be published."""

    subject: str
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BenchEnvironment:
    """Where to publish and to listen, and where to start engines."""

    folder: Path
    servers: embedded.Servers
    connection: bus.Connection
    publisher: bus.Publisher

    async def create(
        self,
        name: str,
        event: str,
        actions: Sequence[JsonObject],
        asks: str | None = None,
        held: float | None = None,
    ) -> str:
        """Store an automation on `event`, behind a filter or none, held or not; give its id."""
        trigger: JsonObject = {"event": event}
        if asks is not None:
            trigger["filter"] = asks
        if held is not None:
            trigger["for"] = {"seconds": held}
        definition = {
            "name": name,
            "triggers": [trigger],
            "mode": "parallel",
            "max_runs": 1000,
            "actions": actions,
        }
        body = msgspec.json.encode({"name": name, "definition": definition})
        reply = await bus.ApiClient(self.connection).request("automations.create", body, 10)
        if reply.error_code:
            raise BenchFailed(f"the automation of the benchmark was refused: {reply.error}")
        stored: Mapping[str, Json] = msgspec.json.decode(reply.body)
        return str(stored["id"])

    async def publish(self, events: Iterator[BenchEvent]) -> None:
        """Publish events, many at a time; each is made when its turn has come."""

        async def some() -> None:
            for event in events:
                await self.publisher.publish(event.subject, event.body, event.headers)

        async with asyncio.TaskGroup() as group:
            for _ in range(PUBLISHES_AT_ONCE):
                group.create_task(some())

    async def start(self, name: str, module: Sequence[str], **settings: str) -> Replica:
        """Start a process with the settings of these servers; it may not be ready yet."""
        given = {
            "NATS__SERVERS": self.servers.nats_url,
            "POSTGRES__DSN": self.servers.postgres_dsn,
            "ENGINE__CATALOG": "open",
            "ENGINE__STUB_ACTIONS": "true",
            **settings,
        }
        environment = {**os.environ, **{f"LOCKSTEP_{key}": text for key, text in given.items()}}
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *module, env=environment, stdout=output, stderr=output
            )
        return Replica(process, log)

    @asynccontextmanager
    async def engine(self, name: str, **settings: str) -> AsyncIterator[Replica]:
        """Have an engine that is ready; it is ended in good order, if it has not ended before."""
        replica = await self.start(
            name, ["lockstep", "serve"], LOG__LEVEL="info", LOG__FORMAT="json", **settings
        )

        async def is_ready() -> bool:
            return READY in replica.log.read_bytes()

        try:
            await until_ready(is_ready, replica)
            yield replica
        finally:
            await replica.end(signal.SIGTERM)


@contextmanager
def engines_of(tree: Path) -> Iterator[None]:
    """Have the engines that are started meanwhile be those of another tree of Lockstep.

    The schema is that of this one: it may be newer than the engine that uses it.

    Raises:
        BenchFailed: There is none.
    """
    folders = [tree / "service", tree / "schemas"]
    if not (folders[0] / "lockstep" / "__main__.py").is_file():
        raise BenchFailed(f"{tree}: no tree of Lockstep, there is no service/lockstep in it")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(str(folder.resolve()) for folder in folders)
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@asynccontextmanager
async def environment() -> AsyncIterator[BenchEnvironment]:
    """Start servers that lose nothing when a process dies; no engine yet.

    The servers do not wait for the disk at each commit: disks differ more between machines than
    engines do.
    """
    with TemporaryDirectory(prefix="lockstep-bench-") as name:
        folder = Path(name)
        async with embedded.start(folder, ephemeral=True) as servers:
            await store.migrate(servers.postgres_dsn)
            nats = bus.BusSettings(servers=[servers.nats_url], name="bench")
            connection = await bus.connect(nats)
            try:
                yield BenchEnvironment(folder, servers, connection, bus.Publisher(connection))
            finally:
                await connection.close()


@asynccontextmanager
async def environment_with_engine(
    *, floor: bool = False, **settings: str
) -> AsyncIterator[BenchEnvironment]:
    """Start servers, and one engine, or the floor, on them."""
    async with environment() as opened:
        module = ["lockstep.bench.floor"] if floor else ["lockstep", "serve"]
        ready = _pulling if floor else _answering
        replica = await opened.start("engine", module, LOG__LEVEL="error", **settings)
        try:
            await until_ready(lambda: ready(opened.connection), replica)
            yield opened
        finally:
            await replica.end(signal.SIGTERM)


async def _answering(connection: bus.Connection) -> bool:
    """Say whether an engine answers."""
    try:
        await bus.ApiClient(connection).request("automations.list", b"{}", 1)
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


async def until_ready(ready: Callable[[], Awaitable[bool]], replica: Replica) -> None:
    """Return when a process is ready.

    Raises:
        BenchFailed: It has ended instead.
    """
    async with asyncio.timeout(START_SECONDS):
        while not await ready():
            if replica.process.returncode is not None:
                said = replica.log.read_text().strip()[-1000:]
                raise BenchFailed(f"the engine ended with {replica.process.returncode}: {said}")
            await asyncio.sleep(0.02)
