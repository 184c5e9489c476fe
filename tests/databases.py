"""Databases of tests: each is a copy of one migrated template."""

import asyncpg

TEMPLATE = "lockstep_template"


def database(dsn: str, name: str) -> str:
    """Give the DSN of another database on the same server."""
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{name}?{query}"


async def on_server(dsn: str, statement: str) -> None:
    """Execute one statement outside any transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
