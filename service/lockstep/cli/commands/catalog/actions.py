"""`lockstep catalog actions`: the types of actions that the engine knows."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import engine, finish
from lockstep.cli.options import AsJson

EXAMPLES: Final = ("catalog actions", "catalog actions nats.publish --json")


def command(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=completion.action_type
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the types of actions, or show one with its JSON Schema."""
    from lockstep.cli.terminal.types import show

    finish(show(engine(context), "actions", wanted, as_json=as_json))
