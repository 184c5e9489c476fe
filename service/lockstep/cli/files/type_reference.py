"""The pages of the built-in actions and triggers, from their types."""

from collections.abc import Mapping
from typing import Final

import msgspec

from lockstep.catalog import build_catalog
from lockstep.cli.files.type_examples import CASES, MORE
from lockstep.model.types import ActionType, TriggerType
from lockstep_schemas.base import Json, JsonObject

ACTIONS: Final = """\
# The built-in actions

<!-- Written by `lockstep catalog actions --reference`; do not change it by hand. -->

What [`action`](LANGUAGE.md#action) may call without a plug-in or a service. Each text of a `config`
is a template; what the schema says is checked once it is rendered. `lockstep catalog actions` lists
what an engine knows, with those of its plug-ins and services.
"""
TRIGGERS: Final = """\
# The built-in triggers

<!-- Written by `lockstep catalog triggers --reference`; do not change it by hand. -->

Events that the engine makes by itself, for one automation and one
[trigger](LANGUAGE.md#triggers) of it. They have no context key, follow every change of the
automation at once, and fire once, however many replicas run. Their `config` holds no templates. All
other events are published; `lockstep catalog triggers` lists those that an engine knows.
"""
SCHEMA: Final = "# yaml-language-server: $schema=../schemas/json/case-file.schema.json\n"
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
}


def actions_page() -> str:
    """Write the page of the actions."""
    return "\n".join([ACTIONS, *map(_action, build_catalog(open=True).actions())])


def triggers_page() -> str:
    """Write the page of the triggers."""
    return "\n".join([TRIGGERS, *map(_trigger, build_catalog(open=True).triggers())])


def _action(kind: ActionType) -> str:
    parts = [f"## {kind.qualified_id}", _words(kind)]
    parts.append(
        f"Without `timeout_seconds` beside `action`, one attempt takes at most "
        f"{kind.timeout_seconds:g} seconds."
    )
    parts.append(_fields(kind.config_schema.document))
    if kind.produces is not None:
        local = kind.produces.qualified_id.removeprefix(f"{kind.plugin}.")
        parts.append(f"It needs an `id`, for the artifact `artifacts.<id>.{local}`:")
        parts.append(_members(kind.produces.schema.document))
    return "\n\n".join([*parts, _case(kind.qualified_id)])


def _trigger(kind: TriggerType) -> str:
    parts = [f"## {kind.qualified_id}", _words(kind)]
    if kind.config_schema is not None:
        parts.append(_fields(kind.config_schema.document))
    if kind.payload_schema is not None:
        parts.append("`trigger.payload` is:")
        parts.append(_members(kind.payload_schema.document))
    return "\n\n".join([*parts, _case(kind.qualified_id)])


def _words(kind: ActionType | TriggerType) -> str:
    return f"{kind.description}\n{MORE.get(kind.qualified_id, '')}".strip()


def _case(name: str) -> str:
    inner = "".join(f"  {line}\n" for line in CASES[name].splitlines())
    return f"```yaml\n{SCHEMA}cases:\n{inner}```\n"


def _fields(schema: JsonObject) -> str:
    """Give a row for each field of a config: what it takes, its default, what it is."""
    rows = ["| field | values | default | what |", "| --- | --- | --- | --- |"]
    for name, field in schema["properties"].items():
        default = "required" if name in schema.get("required", ()) else _shown(field["default"])
        secret = " It may hold a secret." if _is_secret(field) else ""
        cells = (f"`{name}`", _values(field), default, f"{field['description']}{secret}")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _members(schema: JsonObject) -> str:
    """Give a row for each member of a value that an author reads."""
    rows = ["| member | values | what |", "| --- | --- | --- |"]
    for name, field in schema["properties"].items():
        rows.append(f"| `{name}` | {_values(field)} | {field['description']} |")
    return "\n".join(rows)


def _values(field: Mapping[str, Json]) -> str:
    if "enum" in field:
        return ", ".join(f"`{one}`" for one in field["enum"])
    bounds = [text.format(field[key]) for key, text in _BOUNDS.items() if key in field]
    return ", ".join([str(field.get("type", "any value")), *bounds])


def _shown(default: Json) -> str:
    return f"`{msgspec.json.encode(default).decode()}`"


def _is_secret(field: Mapping[str, Json]) -> bool:
    inner = field.get("additionalProperties")
    return "x-secret" in field or (isinstance(inner, dict) and "x-secret" in inner)
