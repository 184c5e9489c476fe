"""The embedded PostgreSQL."""

import hashlib
import os
import shutil
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import Signals
from typing import Final
from urllib.parse import quote

from lockstep.embedded import packages
from lockstep.embedded.lock import LOCK_LIMIT_SECONDS, home_of, lock_folder
from lockstep.embedded.server import (
    Command,
    Server,
    finish,
    guarded,
    ready,
    set_aside,
)
from lockstep.model.errors import ServerUnfit

_NAME: Final = "embedded PostgreSQL"
_USER: Final = "lockstep"
_DATABASE: Final = "lockstep"
_DATABASE_EPHEMERAL: Final = "postgres"  # initdb makes it; ours takes another run of the server
_SOCKET: Final = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES: Final = 103  # the kernel's limit: 107 on Linux, 103 on macOS
_INITDB_LIMIT_SECONDS: Final = 60.0  # it takes some seconds; a busy or slow disk many times that

# Only what differs from the defaults, which are good for a machine with two cores.
_SETTINGS: Final = {
    "listen_addresses": "",  # no TCP
    "unix_socket_permissions": "0700",
    "port": "5432",  # part of the socket's name
    "wal_level": "minimal",  # nobody replicates it
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "256MB",  # at most a quarter of the disk that the default may take
    "io_method": "sync",  # saves three processes that only a big database has a use for
    # Waits and outbox are queues: their dead rows are looked for more often than once a minute.
    "autovacuum_naptime": "5s",
    "autovacuum_vacuum_cost_delay": "0",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Not less: without synchronous_commit or full_page_writes even a killed server could lose data.
_SETTINGS_EPHEMERAL: Final = {"fsync": "off"}


@asynccontextmanager
async def postgres(
    folder: Path, *, ephemeral: bool = False, lock_limit_seconds: float = LOCK_LIMIT_SECONDS
) -> AsyncIterator[Server]:
    """Run a PostgreSQL with its data under `folder`; end it at exit.

    It listens on a Unix socket, always the same one for a folder. With `ephemeral` a power cut
    may cost all data; the death of the server or of this process never does.

    Raises:
        ServerUnfit: It is not installed, or does not start.
        Unavailable: It was not ready in time, or another process uses `folder` and still did
            after `lock_limit_seconds`.
    """
    programs = packages.postgres_programs()
    home = home_of("postgres", folder)
    async with lock_folder(home, lock_limit_seconds) as lock:
        data, log = home / "data", home / "log"
        set_aside(log)
        if not data.exists():
            await _create(programs, home, lock, log, ephemeral=ephemeral)
        sockets = _socket_folder(home)
        _remove_leftovers(data, sockets)
        settings = {**_SETTINGS, **(_SETTINGS_EPHEMERAL if ephemeral else {})}
        command = Command(
            arguments=(
                *(str(programs / "postgres"), "-D", str(data), "-k", str(sockets)),
                *(word for key, value in settings.items() for word in ("-c", f"{key}={value}")),
            ),
            stop=Signals.SIGINT,  # fast: connections are closed, and it ends with a checkpoint
            orphaned=Signals.SIGQUIT,  # immediate: it takes its children along
            unprivileged=data,
        )
        try:
            async with guarded(command, lock, log) as guard:
                pid = await ready(_NAME, guard, log, lambda: _accepting(data))
                database = _DATABASE_EPHEMERAL if ephemeral else _DATABASE
                yield Server(_NAME, _address(sockets, database), pid, log, guard)
        finally:
            _remove_far(sockets, home)


async def _create(programs: Path, home: Path, lock: int, log: Path, *, ephemeral: bool) -> None:
    """Make the data folder. It gets its name last, so one that was interrupted does not count."""
    fresh = _start_afresh(home)
    # The built-in C.UTF-8 is the same on every machine, whatever locales that has.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    unsafe = ("--no-sync", "--no-data-checksums") if ephemeral else ()
    initdb = Command(
        arguments=(
            *(str(programs / "initdb"), f"--pgdata={fresh}", f"--username={_USER}"),
            *("--auth=trust", "--encoding=UTF8", *locale, *unsafe),
        ),
        stop=Signals.SIGKILL,
        orphaned=Signals.SIGKILL,
        unprivileged=fresh,
    )
    await finish(f"initdb of the {_NAME}", initdb, lock, log, _INITDB_LIMIT_SECONDS)
    if not ephemeral:
        script = home / "create.sql"
        script.write_text(f"create database {_DATABASE}\n")
        single_user = Command(
            arguments=(str(programs / "postgres"), "--single", "-D", str(fresh), "postgres"),
            stop=Signals.SIGKILL,
            orphaned=Signals.SIGKILL,
            unprivileged=fresh,
            input=script,
        )
        await finish(f"first run of the {_NAME}", single_user, lock, log, _INITDB_LIMIT_SECONDS)
        script.unlink()
    fresh.rename(home / "data")


def _start_afresh(home: Path) -> Path:
    """Return an empty folder to become the data folder."""
    fresh = home / "data.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    return fresh


def _remove_leftovers(data: Path, sockets: Path) -> None:
    """Remove what a killed server has left.

    Of its process number PostgreSQL can only tell that some process has it, and would refuse to
    start when it has been given out anew. The lock on the folder is held by every process of a
    server, so we know that none is left.
    """
    for stale in data / "postmaster.pid", sockets / _SOCKET, sockets / f"{_SOCKET}.lock":
        stale.unlink(missing_ok=True)


def _socket_folder(home: Path) -> Path:
    """Make the folder of the socket: in `home` if the path of a socket there is short enough.

    Raises:
        ServerUnfit: The folder for long paths is there but not ours alone.
    """
    near = home / "socket"
    # asyncpg takes a comma for the end of a host.
    if len(os.fsencode(near / _SOCKET)) <= _SOCKET_PATH_BYTES and "," not in str(near):
        near.mkdir(mode=0o700, exist_ok=True)
        return near
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    short = Path(f"/tmp/lockstep-{os.geteuid()}-{digest}")  # noqa: S108 -- checked below
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid != os.geteuid():
        raise ServerUnfit(f"{short} is not a folder of ours alone; remove it")
    return short


def _remove_far(sockets: Path, home: Path) -> None:
    """Leave no folder outside of `home`; a socket in it is dead by now.

    A second Ctrl-C can get us here with the server still at it: who removes what does not matter.
    """
    if sockets.parent != home:
        shutil.rmtree(sockets, ignore_errors=True)


def _address(sockets: Path, database: str) -> str:
    # The port is spelled out: asyncpg would take a missing one from the environment.
    return f"postgresql://{_USER}@/{database}?host={quote(str(sockets))}&port=5432"


def _accepting(data: Path) -> int | None:
    """Return the server's process once it accepts connections: its file says so, as to pg_ctl."""
    file = data / "postmaster.pid"
    lines = file.read_text().splitlines() if file.exists() else []
    return int(lines[0]) if len(lines) > 7 and lines[7].strip() == "ready" else None
