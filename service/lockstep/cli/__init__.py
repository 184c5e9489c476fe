"""The command line. Commands import what they need when they run: `--help` stays quick."""

import os
import sys
from typing import NoReturn

from lockstep.cli.commands import app
from lockstep.cli.output import errors
from lockstep.model.errors import EngineError

__all__ = ["app", "main"]


def main() -> NoReturn:
    """Run a command; exit with 0 when it is done, 1 when it is refused or fails, 2 on wrong use."""
    try:
        app(standalone_mode=True)
    except EngineError as error:
        errors.print(f"[red]{error.code}[/red]: ", end="")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read us has enough; a second failure at exit would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
