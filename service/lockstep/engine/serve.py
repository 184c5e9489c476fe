"""From settings to a running replica: the servers are found fit, the catalog is gathered."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from lockstep import __version__, bus, store, telemetry
from lockstep.catalog import (
    MemoryCatalog,
    Recorder,
    ServiceBag,
    build_catalog,
    load_plugins,
    load_triggers,
)
from lockstep.engine import instruments
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Seams
from lockstep.engine.services import table
from lockstep.model.errors import ServerUnfit, SettingError, Unavailable
from lockstep.ports.telemetry import Traces
from lockstep.settings.structs import Settings
from lockstep.telemetry import probe_server
from lockstep.telemetry.metrics import Metrics

_LONGEST_WAIT_SECONDS: Final = 10.0  # after doubling: how late we notice that PostgreSQL is back

log = structlog.get_logger()


async def open_store(settings: Settings, health: telemetry.Health | None = None) -> store.Store:
    """Connect to PostgreSQL, however long it takes; refuse a schema that is not up to date.

    `health` hears of what is there.

    Raises:
        ServerUnfit: The server is too old, or migrations are missing.
    """
    wait, said = 0.2, ""
    while True:
        try:
            database = await store.Store.connect(settings.postgres.dsn, settings.postgres.pool_size)
        except Unavailable as error:
            if str(error) != said:
                said = str(error)
                log.warning("store.unavailable", error=error, next="trying again until it answers")
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            continue
        if health is not None:
            health.found("postgres")
        missing = await store.pending(settings.postgres.dsn)
        if missing:
            await database.close()
            raise ServerUnfit(
                f"the database lacks the migrations {', '.join(missing)}: run `lockstep db migrate`"
            )
        if health is not None:
            health.found("migrations")
        log.info("store.connected")
        return database


async def _open_bus(
    settings: Settings, health: telemetry.Health, fresh: Callable[[], Settings] | None
) -> bus.Connection:
    """Connect to NATS and make what is missing there, however long it takes.

    Raises:
        ServerUnfit: It cannot do what the engine needs.
    """
    read = fresh or (lambda: settings)
    connection = await bus.connect(settings.nats, fresh=lambda: read().nats)
    health.connected(connection)
    try:
        while True:
            try:
                await bus.prepare(connection)
            except Unavailable as error:  # it has tried for a while
                if connection.closed.is_set():
                    raise
                log.warning("bus.unreachable", reason=error, next="trying again until it answers")
            else:
                return connection
    except BaseException:
        await connection.close()
        raise


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Engine], None] | None = None,
    fresh: Callable[[], Settings] | None = None,
) -> None:
    """Run one engine against the servers of its settings, until it is asked to stop.

    `ready` is handed the engine once it takes events; `Engine.stop` ends it in good order.
    `fresh` reads the settings again, for a connection that broke: secrets may change.

    Raises:
        ServerUnfit: A server cannot do what the engine needs.
        Unavailable: The bus is lost for good.
    """
    probes = settings.probes
    measures = telemetry.Measures(probes.automations)
    health = telemetry.Health(probes.stuck_seconds)
    metrics = Metrics(measures)
    address = probes.host, probes.port
    async with (
        probe_server.opened(probe_server.Probes(health, metrics), *address),
        AsyncExitStack() as stack,
    ):
        database = await open_store(settings, health)
        stack.push_async_callback(database.close)
        connection = await _open_bus(settings, health, fresh)
        stack.push_async_callback(connection.close)
        catalog, services = make_catalog(settings)
        traces = await stack.enter_async_context(_traces(settings))
        seams = Seams(meter=measures, traces=traces)
        assembly = build(settings, database, connection, catalog, services, seams)
        engine = Engine(assembly, table(assembly))
        metrics.look_at(instruments.gauges(assembly, engine.services))

        def takes_events() -> None:
            health.takes_events(engine, assembly.loops.heartbeat)
            if ready:
                ready(engine)

        await engine.run(takes_events)


@asynccontextmanager
async def _traces(settings: Settings) -> AsyncIterator[Traces | None]:
    """Have traces where the settings ask for them; only then their library is loaded.

    Raises:
        SettingError: It is not installed.
    """
    if not settings.traces.enabled:
        yield None
        return
    try:
        from lockstep.telemetry.traces import OtelTraces  # noqa: PLC0415 - see above
    except ImportError as error:
        raise SettingError(
            f"traces.enabled needs the extra `otel`: pip install 'lockstep[otel]' ({error})"
        ) from None
    traces = OtelTraces(settings.traces, __version__)
    traces.export(settings.traces.endpoint)
    try:
        yield traces
    finally:
        await asyncio.to_thread(traces.close)


def make_catalog(settings: Settings) -> tuple[MemoryCatalog, ServiceBag]:
    """Gather the types of this engine: its own, those of plug-ins, stubs where they are asked for.

    A plug-in that fails to load is named in the log and left out.
    """
    stubs = settings.engine.stub_actions
    catalog = build_catalog(
        settings.engine.catalog == "open", with_stubs=stubs, prefix=settings.nats.prefix
    )
    load_plugins(catalog)
    folder = settings.engine.triggers_folder
    if folder:
        load_triggers(catalog, Path(folder))
    services = ServiceBag()
    if stubs:
        record = settings.engine.stub_record_file
        services.add(Recorder, Recorder(Path(record) if record else None))
    return catalog, services


async def migrate(settings: Settings) -> list[str]:
    """Apply the migrations that are missing; give their names."""
    return await store.migrate(settings.postgres.dsn)
