"""`python -m lockstep`, and the script `lockstep`."""

import sys

from lockstep.cli.entry import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
