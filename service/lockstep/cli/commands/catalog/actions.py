"""`lockstep catalog actions`: the types of actions that the engine knows."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import engine, finish
from lockstep.cli.options import AsJson

EXAMPLES: Final = (
    "catalog actions",
    "catalog actions nats.publish --json",
    "catalog actions --reference > ACTIONS.md",
)


def command(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=completion.action_type
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The built-in ones, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the types of actions, or show one with its JSON Schema."""
    if reference:
        from lockstep.cli.files.type_reference import actions_page

        typer.echo(actions_page(), nl=False)
        return
    from lockstep.cli.terminal.types import show

    finish(show(engine(context), "actions", wanted, as_json=as_json))
