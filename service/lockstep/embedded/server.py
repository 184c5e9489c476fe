"""A server under a guard: started, awaited until it is ready, ended."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from signal import Signals
from typing import BinaryIO, Final, TypeVar

import msgspec

from lockstep.model.errors import ServerUnfit, Unavailable

# After a crash they read their logs again; of a start that goes wrong the end is seen at once.
READY_LIMIT_SECONDS: Final = 60.0
# A checkpoint on a slow disk; then the guard kills, and nothing is lost.
STOP_LIMIT_SECONDS: Final = 10.0

_GUARD: Final = Path(__file__).with_name("guard.py")
# A start may take only some tenths of a second, and is not to take longer.
_POLL_SECONDS: Final = 0.01
_TAIL_BYTES: Final = 4000  # more than _TAIL_LINES of usual length
_TAIL_LINES: Final = 12  # half a terminal: the reason is near the end

Found = TypeVar("Found")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a guard shall run.

    `stop` is the signal that ends it properly; `orphaned` is the one that it gets from the kernel
    when the guard itself is killed. `unprivileged` is the folder of a server that refuses to run
    as root and wants to own its data. `input` is what it reads.
    """

    arguments: tuple[str, ...]
    stop: Signals
    orphaned: Signals
    unprivileged: Path | None = None
    input: Path | None = None


class Server(msgspec.Struct, frozen=True):
    """An embedded server that answers at `address`."""

    name: str
    address: str
    pid: int
    log: Path
    guard: Process

    async def wait_failed(self) -> Unavailable:
        """Wait until the server ends though nobody asked it to, and return what to raise."""
        await self.guard.wait()
        return Unavailable(f"the {self.name} ended unexpectedly: {_how(self.guard, self.log)}")


@asynccontextmanager
async def guarded(command: Command, lock: int, log: Path) -> AsyncIterator[Process]:
    """Run `command` under a guard that writes to `log` and holds `lock`; end both at exit."""
    guard, lifeline = await _spawn(command, lock, log)
    try:
        yield guard
    finally:
        os.close(lifeline)  # which the guard takes for "stop", just as it would our death
        try:
            async with asyncio.timeout(STOP_LIMIT_SECONDS + 5):
                await guard.wait()
        except TimeoutError:
            guard.kill()  # the server gets `command.orphaned`
            await guard.wait()


async def ready(name: str, guard: Process, log: Path, probe: Callable[[], Found | None]) -> Found:
    """Ask `probe` until it finds the server ready.

    Raises:
        ServerUnfit: The server has ended instead.
        Unavailable: It was not ready in time.
    """
    deadline = time.monotonic() + READY_LIMIT_SECONDS
    while (found := probe()) is None:
        if guard.returncode is not None:
            raise ServerUnfit(f"the {name} did not start: {_how(guard, log)}")
        if time.monotonic() > deadline:
            raise Unavailable(
                f"the {name} was not ready after {READY_LIMIT_SECONDS:g} s; {_tail(log)}"
            )
        await asyncio.sleep(_POLL_SECONDS)
    return found


async def finish(name: str, command: Command, lock: int, log: Path, limit_seconds: float) -> None:
    """Run a command that ends by itself.

    Raises:
        ServerUnfit: It failed.
        Unavailable: It did not end in time.
    """
    try:
        async with asyncio.timeout(limit_seconds), guarded(command, lock, log) as guard:
            await guard.wait()
    except TimeoutError as error:
        raise Unavailable(
            f"the {name} was not done after {limit_seconds:g} s; {_tail(log)}"
        ) from error
    if guard.returncode != 0:
        raise ServerUnfit(f"the {name} failed: {_how(guard, log)}")


async def _spawn(command: Command, lock: int, log: Path) -> tuple[Process, int]:
    """Start the guard; return it and the end of its pipe that keeps it running."""
    options = [f"--stop={command.stop:d}", f"--orphaned={command.orphaned:d}"]
    options += [f"--limit={STOP_LIMIT_SECONDS}"]
    options += [f"--unprivileged={command.unprivileged}"] if command.unprivileged else []
    options += [f"--input={command.input}"] if command.input else []
    reader, lifeline = os.pipe()  # not a pipe of asyncio: closing it must not need the loop
    try:
        with _opened(log) as output:
            guard = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", str(_GUARD), *options, "--", *command.arguments),
                stdin=reader,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C in the terminal is for us, not for the servers
                cwd="/",
                env=_environment(os.environ),
            )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(reader)
    return guard, lifeline


def set_aside(log: Path) -> None:
    """Begin a new log, and keep the last one: it may say why a server had ended."""
    if log.exists():
        log.replace(log.with_suffix(".old"))


def _opened(log: Path) -> BinaryIO:
    return log.open("ab")


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Leave out what would change how PostgreSQL behaves, and have all messages in English."""
    theirs = {key: value for key, value in ours.items() if not key.startswith(("PG", "LC_"))}
    return theirs | {"LC_ALL": "C"}


def _how(guard: Process, log: Path) -> str:
    """Say how it ended. A guard ends with the code of its server, 128 + n if that was a signal."""
    code = guard.returncode or 0
    signal = -code if code < 0 else code - 128
    how = Signals(signal).name if signal in {*Signals} else f"exit code {code}"
    return f"{how}; {_tail(log)}"


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    return "\n  ".join([f"the end of {log}:", *lines])
