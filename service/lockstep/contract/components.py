"""The schemas within the AsyncAPI document: one for each struct, named and titled as it is.

Generators of code take names from there. They read JSON Schema less well than an editor does: what
may be null is `anyOf` here, and each list of words has a title of its own.
"""

from collections.abc import Callable, Mapping, Set
from typing import Any, Final

import msgspec
from msgspec.structs import FieldInfo

from lockstep import control
from lockstep.contract.builder import Builder, Schema
from lockstep.contract.language import ADDITIONS, SPECIALS
from lockstep.contract.schemas import GIVEN, TAKEN, reply_of, request_of

INPUT: Final = "Input"
"""Behind the name of what is read, where the same struct is written otherwise."""
PLACE: Final = "#/components/schemas/"
INNER: Final[Mapping[str, str]] = {
    "propertyNames": "Key",
    "additionalProperties": "Value",
    "items": "Item",
}
"""What within a field may need a name too, and how it is called behind that of the field."""

Sides = Mapping[str, type[msgspec.Struct]]


class Components(msgspec.Struct, frozen=True):
    """Schemas by their names, and which one each document is."""

    schemas: Mapping[str, Schema]
    names: Mapping[str, str]


def components(documents: Set[str]) -> Components:
    """Give the schemas of these documents, and of all that is in them."""
    endpoints = control.table().items()
    taken = {**TAKEN, **{request_of(name): sides.request for name, sides in endpoints}}
    given = {**GIVEN, **{reply_of(name): sides.reply for name, sides in endpoints}}
    reads = {name: kind for name, kind in taken.items() if name in documents}
    writes = {name: kind for name, kind in given.items() if name in documents}
    unlike: Set[str] = frozenset()
    while True:
        read, read_names = _built(reads, unlike, taken=True)
        written, written_names = _built(writes, frozenset(), taken=False)
        both = {name for name in read.keys() & written.keys() if read[name] != written[name]}
        if not both:
            return Components({**read, **written}, {**read_names, **written_names})
        unlike |= both  # who refers to these is then another one too


def _built(
    sides: Sides, unlike: Set[str], *, taken: bool
) -> tuple[Mapping[str, Schema], Mapping[str, str]]:
    builder = _ComponentBuilder(unlike, taken=taken)
    places = {name: str(builder.of(kind)["$ref"]) for name, kind in sides.items()}
    return builder.defs, {name: place.removeprefix(PLACE) for name, place in places.items()}


class _ComponentBuilder(Builder):
    """Builds components."""

    def __init__(self, unlike: Set[str], *, taken: bool) -> None:
        super().__init__(taken=taken, specials=SPECIALS, additions=ADDITIONS)
        self._unlike = unlike

    def ref(self, name: str, make: Callable[[], Schema]) -> Schema:
        """See `Builder.ref`."""
        name = f"{name}{INPUT}" if name in self._unlike else name
        super().ref(name, lambda: {"title": name, **make()})
        return {"$ref": f"{PLACE}{name}"}

    def _field(self, kind: type[msgspec.Struct], field: FieldInfo) -> Schema:
        schema = super()._field(kind, field)
        if (
            "$ref" in schema
        ):  # what stands beside it counts for nothing: what it refers to says more
            return {"$ref": schema["$ref"]}
        title = kind.__name__ + "".join(word.title() for word in field.name.split("_"))
        for keyword, suffix in INNER.items():
            inner = schema.get(keyword)
            if isinstance(inner, dict) and inner.keys() - {"type", "$ref"}:
                schema[keyword] = {"title": f"{title}{suffix}", **inner}
        return {"title": title, **schema} if "enum" in schema else schema

    def _union(self, options: tuple[Any, ...]) -> Schema:
        found = [self.of(option) for option in options if option is not msgspec.UnsetType]
        if len(found) > 1 and any("$ref" in one for one in found):
            return {"anyOf": found}
        return super()._union(options)
