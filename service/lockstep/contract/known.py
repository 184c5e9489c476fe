"""Schemas that know the types of a catalog: what an editor offers, and holds a config against."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from lockstep.contract.builder import Schema
from lockstep_schemas.base import Json
from lockstep_schemas.catalog import ActionInfo, TriggerInfo

# What a template gives is not known before: a text with braces may be of any type, and what says
# something of a whole list or object hangs on what is in it.
_TEMPLATE: Final = {"type": "string", "pattern": r"\{\{"}
_LEFT_OUT: Final = frozenset({"$id", "$schema", "$anchor", "format", "not", "contains"}) | {
    "uniqueItems", "minContains", "maxContains",
}  # fmt: skip
_OF_ONE: Final = frozenset(
    {"items", "additionalProperties", "propertyNames", "if", "then", "else", "unevaluatedItems"}
)
_OF_SEVERAL: Final = frozenset({"allOf", "anyOf", "prefixItems"})
_BY_NAME: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_DEFINITIONS: Final = frozenset({"$defs", "definitions"})


class KnownTypes(msgspec.Struct, frozen=True):
    """Types of actions and triggers. `is_whole`: an engine refuses every other action."""

    actions: Sequence[ActionInfo]
    triggers: Sequence[TriggerInfo]
    is_whole: bool


def teach(definitions: dict[str, Schema], known: KnownTypes) -> None:
    """Let the definitions of a document of the language know these types."""
    if "ProviderAction" not in definitions:
        return
    call, trigger = definitions["ProviderAction"], definitions["Trigger"]
    ids = [one.qualified_id for one in known.actions]
    call["properties"]["action"] |= {"enum" if known.is_whole else "examples": ids}
    call["allOf"] = [_action(one, definitions) for one in known.actions]
    for place in (trigger, definitions["WaitFor"]):
        place["properties"]["event"]["examples"] = [one.qualified_id for one in known.triggers]
    trigger["allOf"] = [_trigger(one, definitions) for one in known.triggers]


def _action(kind: ActionInfo, definitions: dict[str, Schema]) -> Schema:
    name = f"config.{kind.qualified_id}"
    made = _templated(kind.config_schema, f"#/$defs/{name}", is_outer=True)
    definitions[name] = {"title": kind.qualified_id, **made}
    required = ["id"] if kind.produces is not None else []
    return _where("action", kind, _config(name, kind.config_schema, required))


def _trigger(kind: TriggerInfo, definitions: dict[str, Schema]) -> Schema:
    """Its config holds no templates; a type without a schema takes none."""
    if kind.config_schema is None:
        return _where("event", kind, {"properties": {"config": {"maxProperties": 0}}})
    name = f"config.{kind.qualified_id}"
    made = _moved(kind.config_schema, f"#/$defs/{name}")
    definitions[name] = {"title": kind.qualified_id, **made}
    return _where("event", kind, _config(name, kind.config_schema, []))


def _config(name: str, schema: Schema, required: list[str]) -> Schema:
    needs = [*required, *(["config"] if schema.get("required") else [])]
    made: Schema = {"properties": {"config": {"$ref": f"#/$defs/{name}"}}}
    return {**made, "required": needs} if needs else made


def _where(key: str, kind: ActionInfo | TriggerInfo, then: Schema) -> Schema:
    is_this = {"properties": {key: {"const": kind.qualified_id}}, "required": [key]}
    return {"if": {"type": "object", **is_this}, "then": then}


def _moved(schema: Json, root: str) -> Json:
    """Give a schema as it is, its references from the document that it now stands in."""
    if isinstance(schema, list):
        return [_moved(one, root) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: root + inner[1:] if _is_reference(name, inner) else _moved(inner, root)
        for name, inner in schema.items()
        if name not in {"$id", "$schema", "$anchor"}
    }


def _is_reference(name: str, inner: Json) -> bool:
    return name == "$ref" and isinstance(inner, str) and inner.startswith("#")


def _templated(schema: Json, root: str, *, is_outer: bool = False) -> Json:
    """Give a schema that takes a text with braces wherever a value may be rendered."""
    if not isinstance(schema, Mapping):
        return schema  # true or false
    made: dict[str, Json] = {}
    for name, inner in schema.items():
        key = "anyOf" if name == "oneOf" else name  # which one it is, may be told when rendered
        if _is_reference(name, inner):
            made[name] = root + inner[1:]
        elif name in _OF_ONE:
            made[name] = _templated(inner, root)
        elif key in _OF_SEVERAL:
            made[key] = [_templated(one, root) for one in inner]
        elif name in _BY_NAME | _DEFINITIONS:
            made[name] = {one: _templated(value, root) for one, value in inner.items()}
        elif name not in _LEFT_OUT:
            made[name] = inner
    if is_outer or "$ref" in made or not (made.keys() - {"description", "title", "default"}):
        return made
    about: Schema = {key: made[key] for key in ("title", "description", "default") if key in made}
    if offered := made.get("enum") or ([True, False] if made.get("type") == "boolean" else None):
        about["examples"] = offered  # an editor looks for values here, not behind `else`
    return {**about, "if": _TEMPLATE, "else": made}
