"""`lockstep catalog filters`: what expressions may say, filters and tests."""

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson
from lockstep.cli.terminal import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lockstep_schemas.catalog import FilterInfo

EXAMPLES: Final = (
    "catalog filters",
    "catalog filters replace",
    "catalog filters --json",
    "catalog filters --reference > FILTERS.md",
)


def command(
    context: typer.Context,
    wanted: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Only the filter or test of this name.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The built-in ones, as a page of Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the filters and tests of templates and expressions, and what each does.

    Where no engine answers, those that are built in. One that is named is shown with examples.
    """
    if reference:
        from lockstep.cli.files.filter_reference import page

        typer.echo(page(), nl=False)
        return
    finish(_list(engine(context), wanted, as_json=as_json))


async def _list(engine: Reach, wanted: str | None, *, as_json: bool) -> bool:
    from lockstep.cli.files.known import filters_known

    items = await filters_known(engine)
    if wanted is not None:
        items = _named(items, wanted)
    if as_json:
        output.show_json({"items": items})
    elif wanted is not None:
        _explain(items)
    elif any(one.owner_plugin_id is not None for one in items):
        rows = [(one.usage, one.owner_plugin_id or "", one.description) for one in items]
        output.show(output.table(("usage", "plug-in", "meaning"), rows))
    else:
        pairs = [(one.usage, one.description) for one in items]
        output.show(output.table(("usage", "meaning"), pairs))
    return True


def _explain(items: "Sequence[FilterInfo]") -> None:
    """Show each in full, what is built in with its examples."""
    from lockstep.cli.files.filter_reference import examples

    for one in items:
        owner = one.owner_plugin_id
        of = f"{one.kind} of the plug-in {owner}" if owner is not None else one.kind
        output.show_line(f"{one.usage}  ({of})")
        output.show_line(one.description)
        for line in () if owner is not None else examples(one.name, is_test=one.kind == "test"):
            output.show_line(f"  {line}")


def _named(items: "Sequence[FilterInfo]", wanted: str) -> "list[FilterInfo]":
    """Give what has a name.

    Raises:
        NoSuchType: Nothing has.
    """
    from lockstep.client.catalog import NoSuchType

    found = [one for one in items if one.name == wanted]
    if not found:
        near = get_close_matches(wanted, {one.name: None for one in items}, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see `lockstep catalog filters`"
        raise NoSuchType(f"there is no filter or test '{wanted}'; {hint}")
    return found
