"""`lockstep config`: the settings in force, and all there are."""

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from lockstep.cli.context import load
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from lockstep.settings.load import Loaded

EXAMPLES: Final = ("config", "config --json", "config --reference > CONFIGURATION.md")


def command(
    context: typer.Context,
    reference: Annotated[
        bool, typer.Option("--reference", help="All settings there are, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the settings, and where each comes from."""
    if reference:
        _show_reference(as_json=as_json)
    else:
        _show(load(context), as_json=as_json)


def _show(loaded: "Loaded", *, as_json: bool) -> None:
    """Show every setting with its value and its source; secrets masked."""
    if as_json:
        output.show_json(
            {name: {"value": value, "source": source} for name, value, source in loaded.shown()}
        )
        return
    rows = [
        (name, msgspec.json.encode(value).decode(), source)
        for name, value, source in loaded.shown()
    ]
    output.show(output.table(("setting", "value", "source"), rows))


def _show_reference(*, as_json: bool) -> None:
    from lockstep.cli.files import reference

    if as_json:
        output.show_json(msgspec.to_builtins([*reference.settings()]))
    else:
        typer.echo(reference.page(), nl=False)
