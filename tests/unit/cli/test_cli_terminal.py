"""At a terminal: colour, unless NO_COLOR; how far it is, on standard error, gone when done."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from lockstep.cli.terminal import output
from lockstep.cli.terminal.progress import progress
output.show_line(output.status("failed"))
with progress("applying", 3) as advance:
    for _ in range(3):
        advance(1)
output.complain("no")
"""


def seen(tmp_path: Path, **variables: str) -> str:
    """What a terminal is sent by a program."""
    ours, theirs = pty.openpty()
    clean = {n: v for n, v in os.environ.items() if n not in {"NO_COLOR", "FORCE_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env={**clean, "TERM": "xterm-256color", **variables},
    ) as running:  # fmt: skip
        os.close(theirs)
        text = b""
        while True:
            try:
                more = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            text += more
        assert running.wait() == 0
    os.close(ours)
    return text.decode()


def test_a_terminal_shows_colour_and_how_far_it_is(tmp_path: Path) -> None:
    text = seen(tmp_path)
    assert "\x1b[31mfailed" in text
    assert "applying" in text
    assert "3/3" in text


def test_no_color_is_honoured(tmp_path: Path) -> None:
    text = seen(tmp_path, NO_COLOR="1")
    assert "failed" in text
    assert "\x1b[31m" not in text
    assert "\x1b[1;31m" not in text


def test_in_a_pipe_there_is_neither() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("failed\n", "error: no\n")


@pytest.mark.parametrize("total", [0, None])
def test_nothing_to_do_and_nobody_knows_how_much_are_no_error(total: int | None) -> None:
    from lockstep.cli.terminal.progress import progress

    with progress("x", total) as advance:
        advance(1)
