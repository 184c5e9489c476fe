"""`lockstep config`: the settings in force, and all there are."""

import msgspec
import typer

from lockstep.cli import output, reference
from lockstep.config import Loaded


def show(loaded: Loaded, *, as_json: bool) -> None:
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


def show_reference(*, as_json: bool) -> None:
    """Show all settings there are, as a page of Markdown."""
    if as_json:
        output.show_json(msgspec.to_builtins([*reference.settings()]))
    else:
        typer.echo(reference.page(), nl=False)
