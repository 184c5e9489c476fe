"""From types to JSON Schema (draft 2020-12): the structs of the edge, and their descriptions.

Written over the fields of the structs and not taken from msgspec: an action and a condition are
unions that are told by a key, and an editor shall name the key that is wrong.
"""

import types
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, UnsetType
from msgspec.structs import FieldInfo

from lockstep_schemas.base import END, JsonObject

Schema: TypeAlias = JsonObject
Special = Callable[["Builder"], Schema]
Addition = Mapping[str, Any]

_SCALARS: Final[dict[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
}
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
_LENGTHS: Final = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}


class Undescribed(Exception):
    """A field has no description."""


class Builder:
    """Builds the schema of one document; structs are collected as its definitions.

    `taken` says that the engine reads the document: what a struct refuses is refused, and what has
    a default may be left out. Otherwise the engine writes it: what it always writes is required,
    and a later version may write more.
    """

    def __init__(
        self,
        *,
        taken: bool,
        specials: Mapping[object, Special],
        additions: Mapping[type[msgspec.Struct], Addition],
        words: Mapping[type[msgspec.Struct], Mapping[str, str]] | None = None,
    ) -> None:
        self.taken = taken
        self.defs: dict[str, Schema] = {}
        self._named: dict[str, type[msgspec.Struct]] = {}
        self._specials, self._additions, self._words = specials, additions, words or {}

    def of(self, kind: Any) -> Schema:  # noqa: ANN401 - an annotation has no one type
        """Give the schema of a type."""
        bare, metas = _split(kind)
        described = [meta.description for meta in metas if meta.description]
        schema = self._bounded(self._bare(bare), metas)
        # The outermost says what the field is, the inner ones what its type is.
        text = " ".join(dict.fromkeys([*described, *filter(None, [schema.pop("description", "")])]))
        return {"description": text, **schema} if text else schema

    def ref(self, name: str, make: Callable[[], Schema]) -> Schema:
        """Refer to a definition; make it where it is not there yet."""
        if name not in self.defs:
            self.defs[name] = {}  # it may refer to itself
            self.defs[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def _name(self, kind: type[msgspec.Struct]) -> str:
        """Name the definition of a struct; of two with one name the later has its module before."""
        if self._named.setdefault(kind.__name__, kind) is kind:
            return kind.__name__
        return f"{kind.__module__.rpartition('.')[2].title()}{kind.__name__}"

    def struct(self, kind: type[msgspec.Struct]) -> Schema:
        """Give the schema of a struct itself, not a reference to it."""
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for field in msgspec.structs.fields(kind):
            properties[field.encode_name] = self._field(kind, field)
            if self._is_required(kind, field):
                required.append(field.encode_name)
        schema: Schema = {"type": "object", "description": docstring(kind)}
        schema["properties"] = properties
        if required:
            schema["required"] = required
        if self.taken and kind.__struct_config__.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return {**schema, **self._additions.get(kind, {})}

    def _field(self, kind: type[msgspec.Struct], field: FieldInfo) -> Schema:
        schema = self.of(field.type)
        if (said := self._words.get(kind, {}).get(field.name)) is not None:
            schema = {"description": said, **schema}
        if "description" not in schema:
            raise Undescribed(f"{kind.__module__}.{kind.__name__}.{field.name}")
        default = field.default
        if field.default_factory is not NODEFAULT:
            default = field.default_factory()
        if self.taken and default not in (NODEFAULT, msgspec.UNSET, None):
            schema["default"] = default
        return schema

    def _is_required(self, kind: type[msgspec.Struct], field: FieldInfo) -> bool:
        has_default = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
        if self.taken or kind.__struct_config__.omit_defaults:
            return not has_default
        return UnsetType not in get_args(_split(field.type)[0])

    def _bare(self, kind: Any) -> Schema:  # noqa: ANN401 - see `of`
        if kind in self._specials:
            return self._specials[kind](self)
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if kind is Any:
            return {}
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self.ref(self._name(kind), lambda: self.struct(kind))
        origin, inner = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"enum": list(inner)} if len(inner) > 1 else {"const": inner[0]}
        if origin is list:
            items = self.of(inner[0])
            return {"type": "array", "items": items} if items else {"type": "array"}
        if origin is dict:
            return self._mapping(*inner)
        if origin in {Union, types.UnionType}:
            return self._union(inner)
        raise TypeError(f"no schema is known for {kind!r}")

    def _mapping(self, key: Any, value: Any) -> Schema:  # noqa: ANN401 - see `of`
        schema: Schema = {"type": "object"}
        if names := {name: one for name, one in self.of(key).items() if name != "type"}:
            schema["propertyNames"] = names
        if values := self.of(value):
            schema["additionalProperties"] = values
        return schema

    def _union(self, options: tuple[Any, ...]) -> Schema:
        """One schema for all options: their types are unlike, so their bounds do not meet."""
        options = tuple(option for option in options if option is not UnsetType)
        if float in options:
            options = tuple(option for option in options if option is not int)
        schemas = [self.of(option) for option in options]
        if len(schemas) == 1:
            return schemas[0]
        if {} in schemas:
            return {}
        merged: Schema = {}
        kinds: list[str] = []
        for schema in schemas:
            if "$ref" in schema:
                # Not `anyOf`: what is wrong in the object would be told as wrong with the whole.
                target = {"$ref": schema["$ref"]}
                merged |= {"if": {"type": "object"}, "then": target}
                kinds.append("object")
            elif "enum" in schema or "const" in schema:
                values = schema.get("enum") or [schema["const"]]
                merged["enum"] = [*values, *([None] if type(None) in options else [])]
                kinds.append("string")
            else:
                kinds += schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            words = {key: one for key, one in schema.items() if key not in {"type", "enum"}}
            merged |= {key: one for key, one in words.items() if key not in {"$ref", "const"}}
        return {"type": kinds, **merged}

    def _bounded(self, schema: Schema, metas: list[Meta]) -> Schema:
        made = dict(schema)
        for meta in metas:
            for name, keyword in _BOUNDS.items():
                if (bound := getattr(meta, name)) is not None:
                    made[keyword] = bound
            if meta.pattern is not None:
                # There `$` is the end of the text and nothing else.
                made["pattern"] = meta.pattern.replace(END, "$")
            least, most = _LENGTHS.get(str(made.get("type")), ("", ""))
            lengths = {least: meta.min_length, most: meta.max_length}
            made |= {keyword: bound for keyword, bound in lengths.items() if bound is not None}
            if meta.examples:
                made["examples"] = list(meta.examples)
        return made


def docstring(kind: type[msgspec.Struct]) -> str:
    """Give the first paragraph of what a struct says of itself, as one line."""
    return " ".join((kind.__doc__ or "").strip().partition("\n\n")[0].split())


def _split(kind: Any) -> tuple[Any, list[Meta]]:  # noqa: ANN401 - see `Builder.of`
    """Take a type and what is said of it apart; the outermost first."""
    metas: list[Meta] = []
    while get_origin(kind) is Annotated:
        kind, *said = get_args(kind)
        metas += [one for one in reversed(said) if isinstance(one, Meta)]
    return kind, metas
