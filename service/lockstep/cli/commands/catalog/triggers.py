"""`lockstep catalog triggers`: the types of triggers that the engine knows."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import engine, finish
from lockstep.cli.options import AsJson

EXAMPLES: Final = ("catalog triggers", "catalog triggers orders.created")


def command(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=completion.trigger_type
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the types of triggers, or show one with its JSON Schemas."""
    from lockstep.cli.terminal.types import show

    finish(show(engine(context), "triggers", wanted, as_json=as_json))
