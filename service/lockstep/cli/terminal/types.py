"""The types that the engine knows: listed, or one in full."""

from collections.abc import Sequence
from typing import Final

from lockstep.cli.context import Reach
from lockstep.cli.terminal import output
from lockstep.cli.terminal.table import Styled
from lockstep.client.catalog import Info, Kind, find, types
from lockstep_schemas import catalog

_SCHEMAS: Final = ("payload_schema", "config_schema", "schema")
_TITLES: Final = {
    "qualified_id": "id",
    "owner_plugin_id": "owner",
    "timeout_seconds": "timeout",
    "retry_safe": "safe to repeat",
}


async def show(engine: Reach, kind: Kind, wanted: str | None, *, as_json: bool) -> bool:
    """List the types of a kind, or show one with its schemas."""
    async with engine as remote:
        items = await types(remote, kind)
    if wanted is None:
        _list(items, as_json=as_json)
        return True
    found = find(items, wanted, kind)
    if as_json:
        output.show_json(found)
    else:
        _draw(found)
    return True


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
    from lockstep.cli.files import source

    fields: dict[str, object] = {
        name: getattr(one, name)
        for name in one.__struct_fields__
        if name not in {*_SCHEMAS, "display_name"}
    }
    output.show_line(Styled(output.line(one.display_name or one.qualified_id), "bold"))
    for name, value in fields.items():
        text = _words(value)
        if not text:
            continue
        title = _TITLES.get(name, name.replace("_", " "))
        output.show_parts((Styled(f"{title:<16}", "dim"), Styled(output.line(text), "")))
    for name in _SCHEMAS:
        schema = getattr(one, name, None)
        if schema:
            output.show_line("")
            output.show_line(Styled(name.replace("_", " "), "dim"))
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
