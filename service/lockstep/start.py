"""From settings to a running replica: the servers are found fit, the catalog is gathered."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from lockstep import bus, store
from lockstep.app import Engine
from lockstep.catalog import (
    MemoryCatalog,
    Recorder,
    ServiceBag,
    build_catalog,
    load_plugins,
    load_triggers,
)
from lockstep.model.errors import ServerUnfit, Unavailable
from lockstep.settings import Settings

_LONGEST_WAIT_SECONDS: Final = 10.0

log = structlog.get_logger()


async def open_store(settings: Settings) -> store.Store:
    """Connect to PostgreSQL, however long it takes; refuse a schema that is not up to date.

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
                log.warning("store.unavailable", error=said, next="trying again until it answers")
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            continue
        missing = await store.pending(settings.postgres.dsn)
        if missing:
            await database.close()
            raise ServerUnfit(
                f"the database lacks the migrations {', '.join(missing)}: run `lockstep db migrate`"
            )
        log.info("store.connected")
        return database


async def serve(settings: Settings, *, ready: Callable[[Engine], None] | None = None) -> None:
    """Run one engine against the servers of its settings, until it is asked to stop.

    `ready` is handed the engine once it takes events; `Engine.stop` ends it in good order.

    Raises:
        ServerUnfit: A server cannot do what the engine needs.
        Unavailable: The bus closed the connection for good.
    """
    database = await open_store(settings)
    try:
        connection = await bus.connect(settings.nats)
        try:
            await bus.prepare(connection)
            catalog, services = make_catalog(settings)
            engine = Engine(settings, database, connection, catalog, services)
            await engine.run((lambda: ready(engine)) if ready else None)
        finally:
            await connection.close()
    finally:
        await database.close()


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
