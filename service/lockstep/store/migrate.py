"""Bring the schema up to date: the files of `migrations/` in order of their names, forward only."""

from pathlib import Path
from typing import Final

from lockstep.store.sessions import check_version, dial, fit

FOLDER: Final = Path(__file__).parent / "migrations"
LOCK: Final = 0x10C4_57E9  # any number that no one else takes

_LEDGER: Final = """
create table if not exists schema_migrations (
    name text primary key,
    applied_at timestamptz not null default clock_timestamp()
)
"""


def known() -> list[str]:
    """Name the migrations of this version, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


async def migrate(dsn: str, *, until: str | None = None) -> list[str]:
    """Apply what is missing, each in its own transaction; safe when several do it at once.

    Args:
        dsn: The database.
        until: The last one to be applied; None for all.

    Returns:
        The names of those applied now.

    Raises:
        ServerUnfit: See `sessions.fit`.
        StoreUnavailable: The server takes no writes now.
    """
    async with fit(dsn) as session:
        # What is built may take longer than the statements of an engine; other locks are for it.
        await session.execute("set statement_timeout = 0")
        await session.execute("select pg_advisory_lock($1)", LOCK)
        await session.execute(_LEDGER)
        applied = {row["name"] for row in await session.fetch(_APPLIED)}
        missing = [
            name for name in known() if name not in applied and (until is None or name <= until)
        ]
        for name in missing:
            async with session.transaction():
                await session.execute((FOLDER / f"{name}.sql").read_text())
                await session.execute("insert into schema_migrations (name) values ($1)", name)
        return missing


_APPLIED: Final = "select name from schema_migrations"
_HAS_LEDGER: Final = "select to_regclass('schema_migrations') is not null"


async def pending(dsn: str) -> list[str]:
    """Name the migrations that are not applied yet."""
    connection = await dial(dsn)
    try:
        check_version(connection.get_server_version().major)
        if not await connection.fetchval(_HAS_LEDGER):
            return known()
        applied = {row["name"] for row in await connection.fetch(_APPLIED)}
        return [name for name in known() if name not in applied]
    finally:
        await connection.close()


async def create_database(dsn: str, name: str) -> str:
    """Create a database on the server of `dsn`; give its own DSN. For tests."""
    connection = await dial(dsn)
    try:
        await connection.execute(f'create database "{name}"')
    finally:
        await connection.close()
    head, _, query = dsn.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
