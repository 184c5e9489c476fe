"""The guard by itself, with commands in the place of servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lockstep.embedded import guard
from patience import LIMIT_SECONDS, looks

STUBBORN = """
import pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    for _ in looks():
        if condition():
            return


@contextmanager
def guarding(*command: str, options: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Guard `command` with `--limit` short enough for a test."""
    defaults = ("--stop=15", "--orphaned=9", "--limit=0.2")
    script = [sys.executable, "-I", "-S", guard.__file__, *defaults, *options, "--", *command]
    with subprocess.Popen(
        script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(*command: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
    """Return how the guard ends when its command ends by itself, and what was written."""
    with guarding(*command, options=options) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        code = process.wait(LIMIT_SECONDS)
        return code, (process.stdout.read() + process.stderr.read()).decode()


def test_it_ends_with_the_code_of_its_server() -> None:
    """A server that ends by itself."""
    assert run("/bin/sh", "-c", "exit 3")[0] == 3


def test_a_server_that_died_of_a_signal_counts_128_more() -> None:
    """As a shell reports it."""
    assert run("/bin/sh", "-c", "kill -9 $$")[0] == 128 + signal.SIGKILL


def test_a_program_that_cannot_be_run_is_named() -> None:
    """The log has to say what is wrong."""
    code, written = run("/nowhere/nats-server")
    assert code == 127
    assert "cannot run /nowhere/nats-server" in written


def test_the_server_reads_its_input_file_and_not_the_pipe_of_the_guard(tmp_path: Path) -> None:
    """By default there is nothing to read."""
    file = tmp_path / "input"
    file.write_text("select 1")
    assert run("/bin/cat", options=(f"--input={file}",)) == (0, "select 1")
    assert run("/bin/cat") == (0, "")


@pytest.mark.parametrize("ask", ["close", "terminate"])
def test_a_server_that_does_not_heed_the_stop_signal_is_killed_after_the_limit(
    ask: str, tmp_path: Path
) -> None:
    """Whichever way the guard is told to stop."""
    ready = tmp_path / "ready"
    with guarding(sys.executable, "-c", STUBBORN, str(ready)) as process:
        until(ready.exists)
        assert process.stdin is not None
        process.stdin.close() if ask == "close" else process.terminate()
        assert process.wait(LIMIT_SECONDS) == 128 + signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has no such signal")
def test_a_killed_guard_takes_its_server_along(tmp_path: Path) -> None:
    """The kernel tells the server."""
    ready = tmp_path / "ready"
    script = f"import os, pathlib\nprint(os.getpid(), flush=True)\n{STUBBORN}"
    with guarding(sys.executable, "-c", script, str(ready)) as process:
        until(ready.exists)
        assert process.stdout is not None
        server = int(process.stdout.readline())
        os.kill(server, 0)
        process.kill()
        # Its end of file: the server has let go of the other end.
        process.communicate(timeout=LIMIT_SECONDS)
