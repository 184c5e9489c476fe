"""`lockstep catalog triggers`: the types of triggers that the engine knows."""

from typing import Annotated, Final

import typer

from lockstep.cli import completion
from lockstep.cli.context import engine, finish
from lockstep.cli.options import AsJson

EXAMPLES: Final = (
    "catalog triggers",
    "catalog triggers orders.created",
    "catalog triggers --reference > TRIGGERS.md",
)


def command(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="ID", help="Only this type, in full.", autocompletion=completion.trigger_type
        ),
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The built-in ones, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the types of triggers, or show one with its JSON Schemas."""
    if reference:
        from lockstep.cli.files.type_reference import triggers_page

        typer.echo(triggers_page(), nl=False)
        return
    from lockstep.cli.terminal.types import show

    finish(show(engine(context), "triggers", wanted, as_json=as_json))
