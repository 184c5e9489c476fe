"""The command line as a whole: what is said at once, and what becomes of errors."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import Final

from lockstep import __version__
from lockstep.model.errors import EngineError

HELP: Final = Path(__file__).with_name("help.txt")
"""What typer says to `lockstep --help`, on terminals as wide as it writes; a test compares."""
WIDEST: Final = 80  # columns: typer writes no wider, wherever there are more


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code: 0 done, 1 refused or failed, 2 wrong usage."""
    try:
        # Typer alone takes thrice as long as to say these.
        said = _said_at_once([*(sys.argv[1:] if arguments is None else arguments)])
        if said is None:
            return _command(arguments)
        sys.stdout.write(said)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read us has left. Nothing more can be said, not even at the end of the interpreter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _said_at_once(arguments: Sequence[str]) -> str | None:
    if arguments == ["--version"]:
        return f"lockstep {__version__}\n"
    if arguments in (["--help"], ["-h"]) and get_terminal_size().columns >= WIDEST:
        return HELP.read_text()
    return None


def _command(arguments: Sequence[str] | None) -> int:
    from lockstep.cli.context import WANTS_JSON
    from lockstep.cli.main import app

    WANTS_JSON.set(False)
    try:
        app(arguments, prog_name="lockstep")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except (EngineError, BaseExceptionGroup) as error:
        from lockstep.cli.terminal.failure import show

        for one in _errors_in(error):
            show(one, as_json=WANTS_JSON.get())
        return 1
    return 0


def _errors_in(error: BaseException) -> list[EngineError]:
    """Take a group of errors apart; if one of them is none of ours, it is a bug and raised."""
    if isinstance(error, BaseExceptionGroup):
        return [one for inner in error.exceptions for one in _errors_in(inner)]
    if isinstance(error, EngineError):
        return [error]
    raise error
