"""`lockstep filters`: what a filter or a test of expressions does."""

from typing import Annotated, Final

import msgspec
import typer

from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

EXAMPLES: Final = ("filters", "filters truncate", "filters --reference > FILTERS.md")


def command(
    name: Annotated[
        str | None, typer.Argument(help="Only this filter or test.", show_default=False)
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="All of them, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Explain the filters and tests of expressions."""
    from lockstep.cli.files import filter_reference

    if reference and not as_json:
        typer.echo(filter_reference.page(), nl=False)
    else:
        _show(name, as_json=as_json)


def _show(name: str | None, *, as_json: bool) -> None:
    """List all, or explain those of a name: a filter, a test, or both.

    Raises:
        NoSuchFilter: There is none.
    """
    from lockstep.cli.files.filter_reference import NoSuchFilter, explained, lines

    found = [one for one in explained() if name is None or name in one.names]
    if not found:
        raise NoSuchFilter(
            f"no filter and no test is called '{name}'; `lockstep filters` lists all"
        )
    if as_json:
        output.show_json(msgspec.to_builtins(found))
    elif name is None:
        rows = [(one.signature, one.kind, one.what) for one in found]
        output.show(output.table(("name", "kind", "what"), rows))
    else:
        for one in found:
            output.show_line(f"{one.signature}  ({one.kind})")
            output.show_line(one.what)
            for line in lines(one):
                output.show_line(f"  {line}")
