"""The commands that look at the whole: `status`, `versions`."""

from typing import Annotated, Final

import typer

from lockstep.cli import complete
from lockstep.cli.context import AsJson, finish, load
from lockstep.cli.examples import examples

reading: Final = typer.Typer(rich_markup_mode=None)


@reading.command(epilog=examples("status"))
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show versions, workers, queues, runs.

    Exit 1 if a server did not tell its part.
    """
    from lockstep.cli import status as work  # noqa: PLC0415 - quick --help

    finish(work.show(load(context).settings, as_json=as_json))


@reading.command(epilog=examples("versions"))
def versions(
    context: typer.Context,
    automation: Annotated[
        str, typer.Argument(help="Its id or name.", autocompletion=complete.automation)
    ],
    diff: Annotated[
        tuple[int, int] | None,
        typer.Option("--diff", metavar="A B", help="What changed from A to B, by meaning."),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--show", metavar="N", help="The definition of this version.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List, show or compare versions of an automation."""
    from lockstep.cli import versions as work  # noqa: PLC0415 - quick --help

    if diff is not None and number is not None:
        raise typer.BadParameter("name --show or --diff, not both", param_hint="--show")
    finish(work.versions(load(context).settings, automation, number, diff, as_json=as_json))
