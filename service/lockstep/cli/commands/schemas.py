"""`lockstep schemas`: what crosses the edge, in files."""

from pathlib import Path
from typing import Annotated, Final

import typer

from lockstep.cli.terminal import output

EXAMPLES: Final = ("schemas", "schemas /tmp/contract", "schemas --check")


def command(
    folder: Annotated[Path, typer.Argument(help="Where; `json/` and `asyncapi.yaml` in it.")] = (
        Path("schemas")
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not current.")
    ] = False,
) -> None:
    """Write the JSON Schemas and the AsyncAPI document."""
    from lockstep import contract

    changes = contract.changes(folder)
    if not check:
        contract.write(folder)
    for change in changes:
        output.tell(f"{folder}/{change.path}: {change.what}", "red" if check else "")
    if not changes:
        output.tell(f"{folder}: all is current")
    if check and changes:
        raise typer.Exit(1)
