"""Sessions of PostgreSQL: with whom they are opened, and what holds in each.

The settings are set once a session is there, and looked at: as parameters of its start, a pooler
refuses those that it does not know.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode

import asyncpg

from lockstep.model.errors import ServerUnfit, SettingError, StoreUnavailable
from lockstep.store.queries import query

if TYPE_CHECKING:
    Session: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Connection: TypeAlias = Session | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

MIN_VERSION: Final = 15  # what deploy/postgres/README.md promises
DIAL_SECONDS: Final = 12.0  # less than an acquisition may take, which is what dials
ENCODING: Final = "UTF8"
# What asyncpg says where one session has the statements of another, or lacks its own.
SWAPPED: Final = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)

# Statements are written for one plan, and `tests/store` holds the plans; planning anew for each
# set of values costs more than running them once tables are large.
SETTINGS: Final = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    # A replica that is frozen in the middle of a transaction must not hold its locks for much
    # longer than it counts as alive. They do not act in the middle of a statement that waits for
    # its client: see `sessions/end_frozen`.
    "idle_in_transaction_session_timeout": "8000",
    "statement_timeout": "10000",
}

_NAME: Final = "lockstep"
_HOSTS: Final = re.compile(r"(\w+://(?:[^/?#]*@)?)([^@/?#]+,[^@/?#]+)((?:[/?#].*)?)", re.DOTALL)
_HOSTS_LATER: Final = re.compile(r"(\w+://(?:[^/?#]*@)?(?:/[^?#]*)?)\?([^#]*)", re.DOTALL)


async def dial(dsn: str, **options: Any) -> "Session":  # noqa: ANN401 - those of the driver
    """Open one session, with the first host of a DSN that answers and is what the DSN asks for.

    Each host has its share of the time: one that is silent must not keep us from the next.

    Raises:
        SettingError: The DSN cannot be read.
    """
    options.setdefault("server_settings", {"application_name": _NAME})
    hosts = one_host_each(dsn)
    options["timeout"] = options.get("timeout", DIAL_SECONDS) / len(hosts)
    for last in hosts[:-1]:
        try:
            return await _dial(last, options)
        except (OSError, TimeoutError, asyncpg.TargetServerAttributeNotMatched):
            continue
        except asyncpg.CannotConnectNowError:  # it starts, or ends
            continue
    return await _dial(hosts[-1], options)


async def _dial(dsn: str, options: dict[str, Any]) -> "Session":
    try:
        return await asyncpg.connect(dsn, **options)
    except ValueError as error:
        raise SettingError(f"postgres.dsn cannot be read: {error}") from None


def one_host_each(dsn: str) -> list[str]:
    """Take a DSN with many hosts apart; of these, one that takes writes is meant.

    They stand before the path, or as `host` and `port` in the query, where sockets have to.
    """
    found = _HOSTS.fullmatch(dsn)
    if found is None:
        each = _hosts_of_query(dsn)
    else:
        head, hosts, tail = found.groups()
        each = [f"{head}{host}{tail}" for host in hosts.split(",")]
    if len(each) < 2 or "target_session_attrs" in dsn:
        return each
    return [f"{one}{'&' if '?' in one else '?'}target_session_attrs=read-write" for one in each]


def _hosts_of_query(dsn: str) -> list[str]:
    found = _HOSTS_LATER.fullmatch(dsn)
    if found is None:
        return [dsn]
    head, query = found.groups()
    options = dict(parse_qsl(query, keep_blank_values=True))
    hosts, ports = (options.get(name, "").split(",") for name in ("host", "port"))
    if len(ports) == 1:
        ports *= len(hosts)
    if len(hosts) < 2 or len(ports) != len(hosts):
        return [dsn]  # the driver says what is wrong with it
    each = (
        {**options, "host": host, **({"port": port} if port else {})}
        for host, port in zip(hosts, ports, strict=True)
    )
    return [f"{head}?{urlencode(one)}" for one in each]


async def settle(session: "Connection") -> None:
    """Set what our statements rely on, and see that it holds and that the server takes writes.

    Raises:
        ServerUnfit: It is too old, or a pooler gives us another session for each statement.
        StoreUnavailable: It takes no writes now: another one may.
    """
    check_version(session.get_server_version().major)
    try:
        await session.fetch(*query("sessions/set", settings=[*SETTINGS.items()]))
        (row,) = await session.fetch(*query("sessions/found", names=[*SETTINGS]))
    except SWAPPED as error:
        raise swapped() from error
    if row["encoding"] != ENCODING:
        raise ServerUnfit(
            f"the encoding of the database is {row['encoding']}, which has no room for all texts: "
            f"make one with `encoding '{ENCODING}'`, and see postgres.dsn"
        )
    if row["standby"] or row["read_only"]:
        why = "it is a standby" if row["standby"] else "default_transaction_read_only is on"
        raise StoreUnavailable(
            f"PostgreSQL takes no writes: {why}; point postgres.dsn at the primary, or name all "
            "its hosts there (postgresql://user@one,two/database)"
        )
    if row["values"] != [SETTINGS[name] for name in sorted(SETTINGS)]:
        raise swapped()


def check_version(major: int) -> None:
    """Raise ServerUnfit where the server is too old."""
    if major < MIN_VERSION:
        raise ServerUnfit(
            f"PostgreSQL {major} is too old: Lockstep needs {MIN_VERSION} or newer; "
            "point postgres.dsn at a newer server"
        )


def swapped() -> ServerUnfit:
    """Make the error for a pooler that does not leave us our sessions."""
    return ServerUnfit(
        "a pooler before PostgreSQL hands each transaction to another session, so that settings, "
        "prepared statements and locks get lost: let it pool sessions (PgBouncer: "
        "`pool_mode = session`), or point postgres.dsn at PostgreSQL itself"
    )


@asynccontextmanager
async def fit(dsn: str) -> AsyncIterator["Session"]:
    """Lend a session of a server that was found fit; nobody else uses it.

    Raises:
        ServerUnfit: It is too old, spells texts in its own way, or is behind a pooler that does
            not leave us our sessions.
        StoreUnavailable: It takes no writes now.
    """
    session = await dial(dsn)
    try:
        await settle(session)
        await _see_that_it_stays(session, dsn)
        yield session
    finally:
        await _closed(session)


async def _see_that_it_stays(session: "Session", dsn: str) -> None:
    """Try whether a second session is given the process of the first one between its statements.

    It is recognised mostly, not always: a pooler may have a process to spare for each.
    """
    other = await dial(dsn)
    try:
        before = await session.fetchval(*query("sessions/process"))
        async with other.transaction():
            theirs = await other.fetchval(*query("sessions/process"))
            after = await session.fetchval(*query("sessions/process"))
    except SWAPPED as error:
        raise swapped() from error
    finally:
        await _closed(other)
    if before in (theirs, None) or after != before:
        raise swapped()


async def _closed(session: "Session") -> None:
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            await session.close()
    except TimeoutError:
        session.terminate()
