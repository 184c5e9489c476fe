"""Where schemas have schemas in them, and what their references lead to; nothing is evaluated."""

from collections.abc import Iterator
from typing import Final

from lockstep.catalog.errors import SchemaRefused
from lockstep_schemas.base import Json, JsonObject

MAPS: Final = ("properties", "patternProperties", "dependentSchemas")
LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLES: Final = (
    "items",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
)
# What counts and what evaluates recurse; schemas that people write have some ten.
MAX_DEPTH: Final = 100
# So many are evaluated in milliseconds; doubling references soon make millions.
MAX_WEIGHT: Final = 20_000


def parts(schema: JsonObject) -> Iterator[JsonObject]:
    """Give the schemas that stand directly in a schema; `$defs` are reached by reference only."""
    for keyword in MAPS:
        if isinstance(inner := schema.get(keyword), dict):
            yield from (each for each in inner.values() if isinstance(each, dict))
    for keyword in LISTS:
        if isinstance(inner := schema.get(keyword), list):
            yield from (each for each in inner if isinstance(each, dict))
    for keyword in SINGLES:
        if isinstance(inner := schema.get(keyword), dict):
            yield inner


def follow(document: JsonObject, reference: Json) -> JsonObject | None:
    """Give the schema that a local reference leads to (`#`, `#/$defs/Name`), if there is one.

    Source: RFC 6901 for the pointer.
    """
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    here: Json = document
    for word in reference.removeprefix("#").split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and key.isdigit() and int(key) < len(here):
            here = here[int(key)]
        else:
            return None
    return here if isinstance(here, dict) else None


class Weight:
    """How much one evaluation of a schema costs, with every reference written out.

    A schema of 30 definitions that each refer twice to the next is small to send and takes
    minutes to evaluate; one that nests without end overflows the stack of the evaluator.
    Services register schemas, so both are counted beforehand.

    Raises:
        SchemaRefused: It is past `MAX_DEPTH` or `MAX_WEIGHT`.
    """

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._known: dict[int, int] = {}
        self.recursive = False
        self.total = self._of(document, 0)
        if self.total > MAX_WEIGHT:
            raise SchemaRefused(
                f"schema: {self.total} sub-schemas when its references are written out;"
                f" at most {MAX_WEIGHT} are taken"
            )

    def _of(self, schema: JsonObject, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise SchemaRefused(f"schema: nests deeper than {MAX_DEPTH} levels")
        key = id(schema)
        if key in self._known:
            # 0: it is being weighed further up, so the schema contains itself.
            self.recursive |= self._known[key] == 0
            return self._known[key]
        self._known[key] = 0
        weight = 1
        for part in parts(schema):
            weight += self._of(part, depth + 1)
        if "$ref" in schema or "$dynamicRef" in schema:
            target = follow(self._document, schema.get("$ref"))
            # An anchor or an embedded resource: it may lead anywhere, so to itself as well.
            self.recursive |= target is None
            weight += self._of(target, depth + 1) if target is not None else 1
        self._known[key] = weight
        return weight
