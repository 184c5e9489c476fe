"""`lockstep versions`: what a definition was before, and what changed by meaning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lockstep.cli.context import Reach, engine, finish
from lockstep.cli.options import AsJson, Automation
from lockstep.cli.terminal import output
from lockstep.model.errors import EngineError
from lockstep_schemas import api

if TYPE_CHECKING:
    from lockstep.cli.files.diff import Difference

EXAMPLES: Final = (
    "versions sample-orders",
    "versions sample-orders --diff 1 3",
    "versions sample-orders --show 2 > before.yaml",
)


class NoSuchVersion(EngineError):
    """The automation has no version of this number."""

    code = "versions.unknown"
    category = "not_found"
    advice = "`lockstep versions ID` lists those that are there."


def command(
    context: typer.Context,
    automation: Automation,
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
    if diff is not None and number is not None:
        raise typer.BadParameter("name --show or --diff, not both", param_hint="--show")
    finish(_versions(engine(context), automation, number, diff, as_json=as_json))


async def _versions(
    engine: Reach,
    id_or_name: str,
    number: int | None,
    pair: tuple[int, int] | None,
    *,
    as_json: bool,
) -> bool:
    """List the versions of an automation, or show one, or what differs between two."""
    async with engine as remote:
        automation = await remote.automation(id_or_name)
        items = await remote.versions(automation.id)
    if number is not None:
        _show(_find(automation, items, number), as_json=as_json)
    elif pair is not None:
        old, new = (_find(automation, items, one) for one in pair)
        _compare(old, new, as_json=as_json)
    elif as_json:
        output.show_json({"id": automation.id, "name": automation.name, "items": items})
    else:
        _list(items)
    return True


def _changes(old: api.Version, new: api.Version) -> "list[Difference]":
    """Say what differs between two versions, but for what means the same."""
    from lockstep.cli.files.diff import differences, meaning

    return list(differences(meaning(old.definition), meaning(new.definition)))


def _list(items: Sequence[api.Version]) -> None:
    rows = []
    for index, one in enumerate(items):
        if "unreadable" in one.definition:
            said = "damaged: see --show"
        elif not index:
            said = "the first"
        else:
            said = output.count(len(_changes(items[index - 1], one)), "change")
        rows.append((f"v{one.version}", output.moment(one.created_at), str(one.active_runs), said))
    output.show(output.table(("version", "since", "active runs", "against the one before"), rows))


def _show(one: api.Version, *, as_json: bool) -> None:
    from lockstep.cli.files import source

    if as_json:
        output.show_json(one)
    else:
        output.show_line(source.dump(one.definition).rstrip())


def _compare(old: api.Version, new: api.Version, *, as_json: bool) -> None:
    from rich.text import Text

    from lockstep.cli.terminal.changes import difference_json, difference_lines

    found = _changes(old, new)
    if as_json:
        output.show_json(
            {
                "from": old.version,
                "to": new.version,
                "differences": [difference_json(one) for one in found],
            }
        )
        return
    if not found:
        output.tell(f"versions {old.version} and {new.version} mean the same")
    for line in difference_lines(found):
        output.show_line(Text(line))


def _find(automation: api.Automation, items: Sequence[api.Version], number: int) -> api.Version:
    found = next((one for one in items if one.version == number), None)
    if found is None:
        known = ", ".join(str(one.version) for one in items)
        text = f"automation '{automation.name}' has no version {number}; there are {known}"
        raise NoSuchVersion(text)
    return found
