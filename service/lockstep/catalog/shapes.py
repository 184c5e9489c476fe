"""What a JSON Schema says about the shape of a value: its making from a struct, its texts."""

from collections import deque
from contextlib import suppress
from itertools import product
from typing import Final, TypeAlias

import msgspec

from lockstep.catalog.errors import CatalogError
from lockstep.catalog.pointers import Weight, follow, parts
from lockstep_schemas.base import Json, JsonObject

ANYTHING_ELSE: Final = "*"
MARK_OF_SECRETS: Final = "x-secret"
MAX_PATH: Final = 16  # keys; configs have some levels, a schema that contains itself has no end
# Some ms; alternatives multiply, and what lies behind so many is not seen.
MAX_STEPS: Final = 10_000

# Schemas that hold together, and ways in which a value may be right: one of them is enough.
Together: TypeAlias = tuple[JsonObject, ...]
Branches: TypeAlias = list[Together]


def schema_of(struct: type[msgspec.Struct]) -> JsonObject:
    """Give the JSON Schema of a struct; the struct itself stands at the top, the rest in `$defs`.

    Raises:
        CatalogError: A field has a type that JSON Schema cannot say.
    """
    try:
        document: JsonObject = msgspec.json.schema(struct)
    except (TypeError, RecursionError) as error:
        raise CatalogError(f"{struct.__qualname__}: no JSON Schema can be made: {error}") from error
    root = follow(document, document.get("$ref"))
    if root is None:
        return document
    definitions = document["$defs"]
    name = document["$ref"].rpartition("/")[2]
    if f'"{document["$ref"]}"' not in msgspec.json.encode(definitions).decode():
        definitions = {key: value for key, value in definitions.items() if key != name}
    return {**root, **({"$defs": definitions} if definitions else {})}


def closed(document: JsonObject) -> JsonObject:
    """Refuse unknown keys wherever the schema names the keys it knows; changes `document`."""
    definitions = document.get("$defs")
    pending = [document, *(definitions.values() if isinstance(definitions, dict) else ())]
    while pending:
        schema = pending.pop()
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        pending.extend(parts(schema))
    return document


def text_paths(document: JsonObject) -> frozenset[tuple[str, ...]]:
    """Find the places of a value that can only be text (or null).

    Items of lists and values of maps stand as "*". A place is text where every shape that the
    schema allows says so. Only local references are followed; of a schema that contains itself,
    the places nearest to the top are given.

    Raises:
        SchemaRefused: The schema nests too deep, or is too large when it is written out.
    """
    Weight(document)
    found: set[tuple[str, ...]] = set()
    expander = _Expander(document)
    pending: deque[tuple[tuple[str, ...], Branches]] = deque()
    with suppress(_EnoughSeen):
        pending.append(((), expander.branches(document, ())))
        while pending:
            path, branches = pending.popleft()
            real = [
                branch
                for branch in branches
                if not any(_says(schema, {"null"}) for schema in branch)
            ]
            if path and real and all(any(map(_is_text, branch)) for branch in real):
                found.add(path)
            elif len(path) < MAX_PATH:
                pending.extend(((*path, key), at) for key, at in expander.inner(real).items())
    return frozenset(found)


def secret_paths(document: JsonObject) -> frozenset[tuple[str, ...]]:
    """Find the places of a value that may hold secrets: those with `"x-secret": true`.

    One that a shape marks is marked, whatever other shapes say; what lies in it is so too.

    Raises:
        SchemaRefused: The schema nests too deep, or is too large when it is written out.
    """
    Weight(document)
    found: set[tuple[str, ...]] = set()
    expander = _Expander(document)
    pending: deque[tuple[tuple[str, ...], Branches]] = deque()
    with suppress(_EnoughSeen):
        pending.append(((), expander.branches(document, ())))
        while pending:
            path, branches = pending.popleft()
            if any(schema.get(MARK_OF_SECRETS) is True for branch in branches for schema in branch):
                found.add(path)
            elif len(path) < MAX_PATH:
                pending.extend(((*path, key), at) for key, at in expander.inner(branches).items())
    return frozenset(found)


class _EnoughSeen(Exception):
    """The schema has more places than are looked at."""


class _Expander:
    """Writes out references and branches."""

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._steps = 0

    def branches(self, schema: JsonObject, inside: tuple[int, ...]) -> Branches:
        """Give the ways in which a value may meet `schema`; `inside` are the schemas around it."""
        if id(schema) in inside:
            return [()]  # refers to itself without anything between: says nothing new
        inside = (*inside, id(schema))
        target = follow(self._document, schema.get("$ref"))
        together = [self.branches(target, inside)] if target is not None else []
        together += [self.branches(each, inside) for each in _schemas(schema.get("allOf"))]
        for keyword in ("anyOf", "oneOf"):
            either = [
                branch for s in _schemas(schema.get(keyword)) for branch in self.branches(s, inside)
            ]
            together += [either] if either else []
        return self._combined([[(schema,)], *together])

    def inner(self, branches: Branches) -> dict[str, Branches]:
        """Give what lies directly in an object or a list, by key; "*" for items and for maps."""
        found: dict[str, Branches] = {}
        for branch in branches:
            together: dict[str, list[Branches]] = {}
            for schema in branch:
                for key, inner in _members(schema).items():
                    together.setdefault(key, []).append(self.branches(inner, ()))
            for key, at_once in together.items():
                found.setdefault(key, []).extend(self._combined(at_once))
        return found

    def _combined(self, together: list[Branches]) -> Branches:
        """Choose a way from each, in all combinations."""
        combined: Branches = []
        for choice in product(*together):
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise _EnoughSeen
            combined.append(tuple(schema for branch in choice for schema in branch))
        return combined


def _members(schema: JsonObject) -> JsonObject:
    """Give the schemas of what a value holds, by key.

    Values of a map count only where no key has a name: "*" would hide what the names say.
    """
    named = schema.get("properties")
    members = dict(named) if isinstance(named, dict) else {}
    for keyword in ("items", "additionalProperties"):
        if keyword in schema and not members:
            members = {ANYTHING_ELSE: schema[keyword]}
    return {key: inner for key, inner in members.items() if isinstance(inner, dict)}


def _schemas(value: Json) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_text(schema: JsonObject) -> bool:
    return _says(schema, {"string", "null"})


def _says(schema: JsonObject, allowed: set[str]) -> bool:
    """Say whether the schema itself, without what it contains, allows only these types."""
    if "const" in schema:
        return _type(schema["const"]) in allowed
    if isinstance(choices := schema.get("enum"), list) and choices:
        return all(_type(choice) in allowed for choice in choices)
    types = schema.get("type")
    if isinstance(types, str):
        return types in allowed
    return isinstance(types, list) and bool(types) and set(map(str, types)) <= allowed


def _type(value: Json) -> str:
    return {str: "string", type(None): "null"}.get(type(value), "other")
