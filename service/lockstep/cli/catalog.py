"""`lockstep catalog`: the types that the engine knows."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final, Literal, TypeAlias

from rich.text import Text

from lockstep.cli import output, source
from lockstep.cli.remote import Remote, connected
from lockstep.model.errors import EngineError
from lockstep.settings import Settings
from lockstep_schemas import catalog

Kind = Literal["triggers", "actions", "artifacts"]
Info: TypeAlias = catalog.TriggerInfo | catalog.ActionInfo | catalog.ArtifactTypeInfo

_SCHEMAS: Final = ("payload_schema", "config_schema", "schema")


class NoSuchType(EngineError):
    """The engine knows no type of this id; the message names those that are near."""

    code = "catalog.unknown"


async def show(settings: Settings, kind: Kind, wanted: str | None, *, as_json: bool) -> bool:
    """List the types of a kind, or show one with its schemas."""
    async with connected(settings) as remote:
        items = await types(remote, kind)
    if wanted is None:
        _list(items, as_json=as_json)
        return True
    found = next((one for one in items if one.qualified_id == wanted), None)
    if found is None:
        near = get_close_matches(wanted, [one.qualified_id for one in items], 3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"see `lockstep catalog {kind}`"
        raise NoSuchType(f"the engine knows no type '{wanted}' among {kind}; {hint}")
    if as_json:
        output.show_json(found)
    else:
        _draw(found)
    return True


async def types(remote: Remote, kind: Kind) -> Sequence[Info]:
    """Ask for the types of a kind."""
    request = catalog.CatalogList()
    match kind:
        case "triggers":
            return (await remote.call("catalog.triggers", request, catalog.Triggers)).items
        case "actions":
            return (await remote.call("catalog.actions", request, catalog.Actions)).items
        case "artifacts":
            endpoint = "catalog.artifact_types"
            return (await remote.call(endpoint, request, catalog.ArtifactTypes)).items


def _list(items: Sequence[Info], *, as_json: bool) -> None:
    if as_json:
        output.show_json({"items": items})
        return
    rows = [
        (
            one.qualified_id,
            one.display_name,
            "" if isinstance(one, catalog.ArtifactTypeInfo) else one.category,
            one.owner_plugin_id,
        )
        for one in items
    ]
    output.show(output.table(("id", "name", "category", "owner"), rows))


def _draw(one: Info) -> None:
    """Write what is to be known of a type, its JSON Schemas as YAML at the end."""
    fields: dict[str, object] = {
        name: getattr(one, name)
        for name in one.__struct_fields__
        if name not in {*_SCHEMAS, "display_name"}
    }
    output.show_line(Text(output.line(one.display_name or one.qualified_id), "bold"))
    for name, value in fields.items():
        text = _words(value)
        if not text:
            continue
        title = _TITLES.get(name, name.replace("_", " "))
        output.show_line(Text.assemble((f"{title:<16}", "dim"), output.line(text)))
    for name in _SCHEMAS:
        schema = getattr(one, name, None)
        if schema:
            output.show_line("")
            output.show_line(Text(name.replace("_", " "), style="dim"))
            for line in source.dump(schema).splitlines():
                output.show_line(f"  {line}")


def _words(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() | int():
            return f"{value:g} s"
        case list():
            return ", ".join(map(str, value))
    return str(value)


_TITLES: Final = {
    "qualified_id": "id",
    "owner_plugin_id": "owner",
    "timeout_seconds": "timeout",
    "retry_safe": "safe to repeat",
}
