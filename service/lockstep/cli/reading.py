"""The commands that look at the whole: `status`, `versions`, `config`, `schemas`, `doctor`."""

from pathlib import Path
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


@reading.command(epilog=examples("config"))
def config(
    context: typer.Context,
    reference: Annotated[
        bool, typer.Option("--reference", help="All settings there are, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings, and where each comes from."""
    from lockstep.cli import settings as work  # noqa: PLC0415 - quick --help

    if reference:
        work.show_reference(as_json=as_json)
    else:
        work.show(load(context), as_json=as_json)


@reading.command(epilog=examples("schemas"))
def schemas(
    folder: Annotated[Path, typer.Argument(help="Where; `json/` and `asyncapi.yaml` in it.")] = (
        Path("schemas")
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file is not current.")
    ] = False,
) -> None:
    """Write the JSON Schemas and the AsyncAPI document."""
    from lockstep.cli import schemas as work  # noqa: PLC0415 - quick --help

    if not work.schemas(folder, check=check):
        raise typer.Exit(1)


@reading.command(epilog=examples("doctor"))
def doctor(
    context: typer.Context,
    nats_monitor: Annotated[
        str | None,
        typer.Option(help="Address of the monitoring port of NATS, such as http://127.0.0.1:8222."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong, and how to mend it."""
    from lockstep.cli import doctor as work  # noqa: PLC0415 - quick --help

    finish(work.doctor(load(context).settings, nats_monitor, as_json=as_json))
