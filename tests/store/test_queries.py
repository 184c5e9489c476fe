"""Every named query is valid on the migrated schema."""

import asyncpg
import pytest

from lockstep.store.migrate import known, migrate, pending
from lockstep.store.queries import QUERIES


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_a_named_query_is_prepared_on_the_migrated_schema(name: str, dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.prepare(QUERIES[name].text)
    finally:
        await connection.close()


async def test_a_migrated_database_has_nothing_pending_and_is_not_migrated_again(dsn: str) -> None:
    assert known()
    assert await pending(dsn) == []
    assert await migrate(dsn) == []
