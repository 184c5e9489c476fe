"""`lockstep schemas`: what crosses the edge, in files."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import Reach, engine
from lockstep.cli.terminal import output
from lockstep.model.errors import Unavailable

if TYPE_CHECKING:
    from lockstep.contract import KnownTypes

EXAMPLES: Final = (
    "schemas",
    "schemas /tmp/contract",
    "schemas --check",
    "schemas .schemas --with-catalog",
)


def command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where; `json/` and `asyncapi.yaml` in it.")] = (
        Path("schemas")
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not current.")
    ] = False,
    with_catalog: Annotated[
        bool,
        typer.Option(
            "--with-catalog",
            help="Know the types of actions and triggers of the engine; those that are "
            "installed here where none answers.",
        ),
    ] = False,
) -> None:
    """Write the JSON Schemas and the AsyncAPI document."""
    from lockstep import contract

    known = _known(engine(context)) if with_catalog else None
    changes = contract.changes(folder, known)
    if not check:
        contract.write(folder, known)
    for change in changes:
        output.tell(f"{folder}/{change.path}: {change.what}", "red" if check else "")
    if not changes:
        output.tell(f"{folder}: all is current")
    if check and changes:
        raise typer.Exit(1)


def _known(reach: Reach) -> "KnownTypes":
    """Ask the engine which types there are; where none answers, say so, and look here."""
    from lockstep.cli.files.known import known_here, known_to
    from lockstep.cli.silence import silence

    silence()
    try:
        return asyncio.run(known_to(reach))
    except Unavailable as error:
        output.tell(f"{error}", "yellow")
        output.tell("types of services are left out: these are the types that are installed here")
        return known_here()
