"""`runs watch` of many runs: a table on a terminal, lines of a log elsewhere."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest

from engine.engine_fixture import EngineFixture
from engine.shell import Shell, interruptible
from lockstep import bus
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"
DELAY = [{"delay": {"seconds": 3600}}]


class Terminal:
    """What a command has drawn on a terminal."""

    def __init__(self, descriptor: int, process: asyncio.subprocess.Process) -> None:
        self.process, self.drawn = process, ""
        self._descriptor, self._came = descriptor, asyncio.Event()

    def resize(self, columns: int) -> None:
        """Make it so wide."""
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self) -> None:
        """Take what was drawn."""
        try:
            self.drawn += os.read(self._descriptor, 65_536).decode("utf-8", "replace")
        except OSError:  # nobody has it open any more
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._came.set()

    async def until(self, holds: Callable[[str], bool]) -> None:
        """Wait until what is drawn from now on holds."""
        begin = len(self.drawn)
        async with patience():
            while not holds(_plain(self.drawn[begin:])):
                self._came.clear()
                await self._came.wait()


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")


def _cut(text: str) -> list[str]:
    return [one for one in text.splitlines() if one.endswith("…")]


@asynccontextmanager
async def terminal(shell: Shell, *arguments: str, columns: int = 80) -> AsyncIterator[Terminal]:
    """Start a command on a terminal of 24 lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    taken = {"COLUMNS", "LINES"}
    variables = {name: value for name, value in shell.variables.items() if name not in taken}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lockstep", *arguments, cwd=shell.folder,
        env={**variables, "TERM": "xterm"}, stdin=theirs, stdout=theirs, stderr=theirs,
        preexec_fn=interruptible,
    )  # fmt: skip
    os.close(theirs)
    made = Terminal(ours, process)
    asyncio.get_running_loop().add_reader(ours, made.read)
    try:
        yield made
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)


async def test_on_a_terminal_runs_stand_in_a_table_that_follows_them_until_it_is_interrupted(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation(DELAY)
    await shared.publish(automation.event, {})
    run_id = (await shared.heard(automation.id, "waiting")).data.run_id
    async with terminal(shell, "runs", "watch", "--automation", automation.id) as seen:
        await seen.until(lambda text: run_id[:18] in text and "1 active, 0 ended" in text)
        assert HIDE_CURSOR in seen.drawn
        seen.resize(60)
        # Where a line is cut at the end of a word, it is a little shorter.
        await seen.until(lambda text: any(54 < len(one) <= 60 for one in _cut(text)))
        await shared.call("runs.cancel", id=run_id, reason="no need")
        await seen.until(lambda text: "cancelled" in text and "0 active, 1 ended" in text)
        seen.process.send_signal(signal.SIGINT)
        async with patience():
            assert await seen.process.wait() == 0
    assert "Traceback" not in seen.drawn
    assert seen.drawn.rfind(SHOW_CURSOR) > seen.drawn.rfind(HIDE_CURSOR)


async def test_into_a_pipe_events_are_lines_and_only_those_that_are_wanted(
    shared: EngineFixture, shell: Shell
) -> None:
    automation = await shared.automation(DELAY)
    wanted = ("--event", automation.event, "--key", "k2", "--status", "active")
    async with shell.started("runs", "watch", *wanted) as process, patience():
        assert process.stdout is not None
        assert process.stderr is not None
        await process.stderr.readline()  # it follows
        for key in ("k1", "k2"):
            await shared.publish(automation.event, {}, key=key)
        line = (await process.stdout.readline()).decode()
        page = await shared.call("runs.list", automation_id=automation.id, context_key="k2")
        (run,) = page["items"]
        assert f"  {run['id']}  " in line
        assert "\x1b" not in line
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()
    assert process.returncode == 0
    assert all(run["id"] in one for one in rest.decode().splitlines())


async def test_an_event_that_is_heard_again_is_told_once(
    shared: EngineFixture, shell: Shell
) -> None:
    """It is sent until it is acknowledged; the stream drops the second one, a listener hears it."""
    automation = await shared.automation(DELAY)
    await shared.publish(automation.event, {})
    event = await shared.heard(automation.id, "waiting")
    run_id = event.data.run_id
    publisher = bus.Publisher(shared.connection)
    subject, body = (
        shared.connection.names.run(automation.id, "waiting"),
        msgspec.json.encode(event),
    )
    async with shell.started("runs", "watch", run_id) as process, patience():
        assert process.stderr is not None
        while b"actions[0]" not in await process.stderr.readline():
            pass  # it follows
        for _ in range(3):
            await publisher.publish(subject, body, {"Nats-Msg-Id": event.id})
        await shared.call("runs.cancel", id=run_id, reason="no need")
        _, told = await process.communicate()
    assert process.returncode == 1
    lines = told.decode().splitlines()
    assert len([line for line in lines if "run waiting" in line]) == 1
    assert any("cancelled" in line for line in lines)
