"""One engine for all tests of the language: each test has an automation and an event of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from databases import TEMPLATE, database, on_server
from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.shell import Shell
from lockstep.embedded import Servers


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(servers: Servers) -> AsyncIterator[EngineFixture]:
    """An engine that lives as long as the session."""
    name = f"shared_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    settings = settings_of(
        servers.nats_url, database(servers.postgres_dsn, name), f"p{uuid4().hex[:12]}"
    )
    async with engine_fixture(settings) as opened:
        yield opened


@pytest.fixture
def shell(shared: EngineFixture, tmp_path: Path) -> Shell:
    """A shell whose settings are those of the shared engine."""
    settings = shared.settings
    return Shell(
        tmp_path,
        {
            "LOCKSTEP_NATS__SERVERS": ",".join(settings.nats.servers),
            "LOCKSTEP_NATS__PREFIX": settings.nats.prefix,
            "LOCKSTEP_POSTGRES__DSN": settings.postgres.dsn,
        },
    )
