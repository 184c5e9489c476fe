"""Fixtures of all tests: real servers for the session, a database for each test."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck, settings

from databases import TEMPLATE, database, on_server
from lockstep import embedded
from lockstep.embedded import Servers
from lockstep.store.migrate import migrate

# However busy the machine is: an example is neither too slow nor flaky.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """One NATS and one PostgreSQL for the session; the migrated template is made once."""
    folder = tmp_path_factory.mktemp("servers")
    async with embedded.start(folder, ephemeral=True) as started:
        await on_server(started.postgres_dsn, f"create database {TEMPLATE}")
        await migrate(database(started.postgres_dsn, TEMPLATE))
        yield started


@pytest_asyncio.fixture
async def dsn(servers: Servers) -> AsyncIterator[str]:
    """A migrated database for this test alone, copied from the template."""
    name = f"t_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    yield database(servers.postgres_dsn, name)
    await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """What a command sets up for its own log lines ends with the test."""
    yield
    structlog.reset_defaults()
