"""`lockstep` on the command line, also `python -m lockstep`."""

from lockstep.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
