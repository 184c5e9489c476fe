"""JSON Schemas, compiled: for configs, payloads and artifacts.

Schemas come from services on the bus too, so nothing they say may reach out, run without end or
take the process down: no remote references, patterns in linear time, bounded nesting and size.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

import jsonschema_rs

from lockstep.catalog.errors import SchemaRefused
from lockstep.catalog.faults import MASK, MAX_MESSAGE, readable
from lockstep.catalog.pointers import Weight
from lockstep.model.texts import path_text
from lockstep.model.types import SchemaFault
from lockstep_schemas.base import JsonObject
from lockstep_schemas.depth import MAX_DEPTH, nests_deeper

# As deep as a value of a template may be: the evaluator recurses with it.
MAX_VALUE_DEPTH: Final = 2 * MAX_DEPTH
# Keywords that look at the same value as the schema they stand in.
_BESIDE: Final = ("$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas", "$dynamicRef")


class CompiledSchema:
    """A JSON Schema (draft 2020-12), ready to judge values."""

    __slots__ = ("_recursive", "_validator", "document")

    def __init__(self, document: JsonObject) -> None:
        self.document: JsonObject = document
        weight = Weight(document)
        self._recursive = weight.recursive
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                document,
                offline=True,
                mask=MASK,
                # The regular expressions that run in linear time: no look-around, no backreference.
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise SchemaRefused(f"schema: {_reason(error, document)}") from error

    def is_valid(self, value: object) -> bool:
        """Say whether `value` is right; a value that is no JSON is not."""
        if self._recursive and nests_deeper(value, MAX_VALUE_DEPTH):
            return False
        try:
            return self._validator.is_valid(value)
        except ValueError:
            return False

    def faults(self, value: object) -> Sequence[SchemaFault]:
        """Say what is wrong with `value`, the first hundred places; nothing if it is right.

        Missing and unknown keys are told at the path of their object, with the keys in `names`.
        """
        if self.is_valid(value):
            return ()
        if self._recursive and nests_deeper(value, MAX_VALUE_DEPTH):
            text = f"nests deeper than {MAX_VALUE_DEPTH} levels"
            return (SchemaFault((), text, "depth"),)
        try:
            return readable(self._validator.iter_errors(value), value)
        except ValueError as error:
            return (SchemaFault((), f"is no JSON value: {error}"[:MAX_MESSAGE], "type"),)


def compile_schema(document: JsonObject, *, strict: bool = False) -> CompiledSchema:
    """Compile a JSON Schema.

    Args:
        document: The schema; it is copied, so later changes of it have no effect.
        strict: Refuse keys at the top that the schema does not name, unless it says itself what
            becomes of them.

    Raises:
        SchemaRefused: It is no schema, refers to another document, or is too large.
    """
    # Whoever registers over the bus can send anything, whatever the type says.
    given: object = document
    if not isinstance(given, dict):
        raise SchemaRefused(f"schema: an object was expected, got {type(given).__name__}")
    if nests_deeper(given, MAX_VALUE_DEPTH * 2):
        raise SchemaRefused("schema: nests too deep")
    own: JsonObject = deepcopy(given)
    said = own.keys() & {"additionalProperties", "unevaluatedProperties"}
    if strict and own.get("properties") and not said:
        # Beside `allOf` and the like, `additionalProperties` would not see the keys they name.
        beside = any(keyword in own for keyword in _BESIDE)
        own["unevaluatedProperties" if beside else "additionalProperties"] = False
    return CompiledSchema(own)


def _reason(error: Exception, document: JsonObject) -> str:
    """Say what is wrong with the schema, and where in it."""
    if not isinstance(error, jsonschema_rs.ValidationError) or error.kind.name == "$ref":
        return str(getattr(error, "message", error))[:MAX_MESSAGE]
    if error.kind.name == "format" and "pattern" in map(str, error.instance_path[-1:]):
        text = "no regular expression that runs in linear time (no look-around, no backreference)"
    else:
        faults = readable([error], document)
        text = faults[0].message if faults else error.message
    place = path_text(error.instance_path)
    return f"{place}: {text}" if place else text
