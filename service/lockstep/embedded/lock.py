"""One user of a folder at a time."""

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from lockstep.model.errors import Unavailable

# Longer than a guard may take to end its server: the last user may just have been killed.
LOCK_LIMIT_SECONDS: Final = 15.0

_POLL_SECONDS: Final = 0.05  # flock has no waiting with a limit; nobody notices so little


def home_of(server: str, folder: Path) -> Path:
    """Return where a server keeps its things; absolute, as servers run in another directory."""
    return folder.resolve() / server


@asynccontextmanager
async def lock_folder(folder: Path, limit_seconds: float) -> AsyncIterator[int]:
    """Make `folder` if needed and be its one user, until exit.

    The lock hangs on the open file. Guards and servers inherit the descriptor that is handed out,
    so the folder stays locked until the last of them has ended, even when this process is killed.

    Raises:
        Unavailable: Somebody else still had it after `limit_seconds`.
    """
    descriptor = _open(folder)
    try:
        deadline = time.monotonic() + limit_seconds
        while not _taken(descriptor):
            if time.monotonic() > deadline:
                owner = os.pread(descriptor, 20, 0).decode() or "another one"
                raise Unavailable(
                    f"{folder} is in use: its server was started by process {owner} and runs "
                    f"still after {limit_seconds:g} s; end that process or use another folder"
                )
            await asyncio.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _open(folder: Path) -> int:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    return os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
