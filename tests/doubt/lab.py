"""Engines in this process whose servers are behind proxies, and what a scenario does with them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec

from crash.fleet import Fleet
from doubt.fates import Exchange, Judge
from doubt.proxy_nats import NatsProxy
from doubt.proxy_postgres import PostgresProxy
from lockstep import bus
from lockstep.catalog import Recorder, Registry, ServiceBag, build_catalog
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Seams
from lockstep.engine.serve import open_store
from lockstep.engine.services import table
from lockstep.model.errors import BusUnavailable, Unavailable
from lockstep.settings.structs import EngineSettings, PostgresSettings, Settings
from patience import LIMIT_SECONDS, patience
from processes import environment

Json = dict[str, Any]
LOOK_SECONDS = 0.02


@dataclass(eq=False)
class Replica:
    """An engine that runs here."""

    settings: Settings
    plugins: dict[str, Callable[[Registry], None]]
    seams: Seams | None
    record_file: Path
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    engine: Engine | None = None

    async def serve(self) -> None:
        """Run until it is asked to stop, as `lockstep serve` does."""
        async with AsyncExitStack() as stack:
            database = await open_store(self.settings)
            stack.push_async_callback(database.close)
            connection = await bus.connect(self.settings.nats)
            stack.push_async_callback(connection.close)
            await bus.prepare(connection)
            prefix = self.settings.nats.prefix
            catalog = build_catalog(open=True, with_stubs=True, prefix=prefix)
            for name, register in self.plugins.items():
                catalog.register(name, register)
            services = ServiceBag()
            services.add(Recorder, stack.enter_context(Recorder(self.record_file)))
            assembly = build(self.settings, database, connection, catalog, services, self.seams)
            self.engine = Engine(assembly, table(assembly))
            await self.engine.run(self.ready.set)


@dataclass
class Lab(Fleet):
    """A fleet in this process. All of it goes by way of proxies, but for what the test asks.

    Attributes:
        arbiter: Says what becomes of what is exchanged, from when the scenario asks for it.
        heard: Called with each exchange, likewise.
    """

    engine_settings: Json = field(default_factory=dict)
    proxies: tuple[PostgresProxy, NatsProxy] = field(init=False)
    arbiter: Judge = field(default_factory=Judge)
    heard: Callable[[Exchange], None] = print
    running: dict[Replica, asyncio.Task[None]] = field(default_factory=dict)
    plugins: dict[str, Callable[[Registry], None]] = field(default_factory=dict)
    seams: Seams | None = None
    automations: dict[str, str] = field(default_factory=dict)  # id by name
    credentials: str = ""  # a file, where the bus asks for one

    def environment(self, dsn: str) -> dict[str, str]:
        """The settings of replicas that are processes; they speak to their servers directly."""
        engine = {f"ENGINE__{name.upper()}": value for name, value in self.engine_settings.items()}
        return environment(
            NATS__SERVERS=self.url,
            NATS__PREFIX=self.prefix,
            NATS__CREDENTIALS_FILE=self.credentials,
            NATS__ACK_WAIT_SECONDS=3,
            POSTGRES__DSN=dsn,
            ENGINE__STUB_RECORD_FILE=self.record_file,
            **engine,
        )

    def arm(self) -> None:
        """Let what is exchanged from now on be judged, and heard."""
        for proxy in self.proxies:
            proxy.arbiter, proxy.heard = self.arbiter, self.heard

    # Replicas.

    async def boot(self) -> Replica:
        """Start another replica; return when it takes events."""
        postgres, nats = self.proxies
        replica = Replica(
            Settings(
                nats=bus.BusSettings(servers=[nats.url], prefix=self.prefix, storage="memory"),
                postgres=PostgresSettings(dsn=postgres.dsn),
                engine=msgspec.convert(self.engine_settings, EngineSettings),
            ),
            self.plugins,
            self.seams,
            self.record_file,
        )
        self.running[replica] = asyncio.create_task(replica.serve())
        await self.until_here(replica.ready.is_set)
        return replica

    async def halt(self, replica: Replica) -> None:
        """Let a replica end in good order."""
        assert replica.engine is not None
        replica.engine.stop()
        async with patience():
            await self.running.pop(replica)

    async def until_here(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds of what is in this process."""

        async def held() -> bool:
            return holds()

        await self.until(held)

    async def until(self, what: Callable[[], Awaitable[bool]]) -> None:
        """See `Fleet`; a replica that has ended by itself fails the test."""

        async def checked() -> bool:
            for task in self.running.values():
                if task.done():
                    raise AssertionError("a replica has ended by itself") from task.exception()
            return await what()

        await super().until(checked)

    async def end(self) -> None:
        """End all replicas, whatever state they are in."""
        for proxy in self.proxies:
            proxy.arbiter = Judge()
        for replica in list(self.running):
            if self.running[replica].done():
                self.running.pop(replica).cancelled()
            else:
                await self.halt(replica)

    # The API.

    async def ask(self, endpoint: str, done: str = "select false", **request: object) -> Json:
        """Call the API until it answers, or until a query says that it is done though in doubt."""
        client = bus.ApiClient(self.connection)
        body = json.dumps(request).encode()
        async with patience():
            while True:
                with suppress(BusUnavailable):
                    reply = await client.request(endpoint, body, LIMIT_SECONDS)
                    answer: Json = msgspec.json.decode(reply.body)
                    if not reply.error_code:
                        return answer
                    assert answer["code"] in {"busy", "unavailable"}, answer
                await asyncio.sleep(LOOK_SECONDS)
                if await self.value(done):
                    return {}

    async def insist(self, what: Callable[[], Awaitable[object]]) -> None:
        """Do something that may be done twice, until it is done."""
        async with patience():
            while True:
                try:
                    await what()
                except Unavailable:
                    await asyncio.sleep(LOOK_SECONDS)
                else:
                    return

    async def automation(self, name: str, actions: list[Json], **fields: object) -> str:
        """Store an automation on the event `doubt.NAME`; give its id."""
        trigger = {"event": f"doubt.{name}"}
        definition = {
            "name": name,
            "triggers": [trigger],
            "mode": "parallel",
            "max_runs": 1000,
            "actions": actions,
            **fields,
        }
        there = f"select id from automations where name = '{name}'"
        await self.ask("automations.create", there, name=name, definition=definition)
        self.automations[name] = await self.value(there)
        return self.automations[name]

    async def tell(self, name: str, n: int, **more: object) -> None:
        """Publish the nth event of an automation; returned when it is acknowledged."""
        body = {"n": n, **more}
        await self.publish(f"doubt.{name}", body, str(more.get("key", "")), f"{name} {n}")


@asynccontextmanager
async def open_lab(
    url: str, dsn: str, folder: Path, *, credentials: str = "", **settings: object
) -> AsyncIterator[Lab]:
    """Open a lab without replicas; those that are started are processes, unless they are booted."""
    prefix = f"d{uuid4().hex[:10]}"
    common: Json = {
        "catalog": "open",
        "stub_actions": True,
        "batch_size": 16,
        "heartbeat_seconds": 0.3,
        "stale_seconds": 5,  # so that a busy machine lets nobody look dead
        **settings,
    }
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=3))
        lab = Lab(
            url, prefix, {}, folder, pool, stack, engine_settings=common, credentials=credentials
        )
        lab.env = lab.environment(dsn)
        lab.proxies = (
            await stack.enter_async_context(PostgresProxy(dsn).opened()),
            await stack.enter_async_context(NatsProxy(url, prefix).opened()),
        )
        own = bus.BusSettings(
            servers=[url], prefix=prefix, storage="memory", credentials_file=credentials
        )
        lab._connection = await bus.connect(own)
        stack.push_async_callback(lab._connection.close)
        stack.push_async_callback(lab.end)
        yield lab
