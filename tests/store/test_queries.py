"""Every named query is valid on the migrated schema."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from databases import TEMPLATE, database, on_server
from lockstep.embedded import Servers
from lockstep.store.migrate import known, migrate, pending
from lockstep.store.queries import QUERIES


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def read_only(servers: Servers) -> AsyncIterator[str]:
    """A migrated database for all of these tests: nothing is written to it."""
    name = f"t_{uuid4().hex}"
    await on_server(servers.postgres_dsn, f"create database {name} template {TEMPLATE}")
    yield database(servers.postgres_dsn, name)
    await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_a_named_query_is_prepared_on_the_migrated_schema(name: str, read_only: str) -> None:
    connection = await asyncpg.connect(read_only)
    try:
        await connection.prepare(QUERIES[name].text)
    finally:
        await connection.close()


async def test_a_migrated_database_has_nothing_pending_and_is_not_migrated_again(dsn: str) -> None:
    assert known()
    assert await pending(dsn) == []
    assert await migrate(dsn) == []
