"""From the errors of the schema engine to faults that an author can read.

Texts of the value are never shown, apart from a wrong choice: they may be long, or private.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import jsonschema_rs

from lockstep.model.types import SchemaFault
from lockstep_schemas.base import Json

Path: TypeAlias = tuple[str | int, ...]

MASK: Final = "the value"
MAX_FAULTS: Final = 100  # more than anybody mends at once; a list may have thousands of wrong items
MAX_TEXT: Final = 60  # characters of a key or a value: it stands within a sentence
MAX_MESSAGE: Final = 300  # characters: what the schema or the value says may be in it, however long

_BOUNDS: Final = {
    "minimum": ">=",
    "maximum": "<=",
    "exclusiveMinimum": ">",
    "exclusiveMaximum": "<",
    "multipleOf": "a multiple of",
}
_SIZES: Final = {
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minItems": ("at least", "item"),
    "maxItems": ("at most", "item"),
    "minProperties": ("at least", "key"),
    "maxProperties": ("at most", "key"),
}


def readable(
    errors: Iterable[jsonschema_rs.ValidationError], value: object
) -> Sequence[SchemaFault]:
    """Give the faults of `value` behind the errors, `MAX_FAULTS` at most."""
    found = (fault for error in errors for fault in _faults(error, value))
    return list(islice(found, MAX_FAULTS))


def _faults(error: jsonschema_rs.ValidationError, value: object) -> Iterator[SchemaFault]:
    path, kind = tuple(error.instance_path), error.kind
    keyword = error.schema_path[-1] if error.schema_path else ""
    match kind:
        case kind.Required():
            text = f"'{_cut(kind.property)}' is required"
            yield SchemaFault(path, text, "required", (kind.property,))
        case kind.AdditionalProperties() | kind.UnevaluatedProperties():
            yield _unknown(path, kind.name, kind.unexpected)
        case kind.PropertyNames() if isinstance(key := kind.error.instance, str):
            yield SchemaFault(path, f"key '{_cut(key)}' is not allowed here", kind.name, (key,))
        case kind.AnyOf() | kind.OneOfNotValid():
            yield from _choice(error, kind.context, value)
        case kind.OneOfMultipleValid():
            text = "matches more than one of the shapes that exclude each other"
            yield SchemaFault(path, text, kind.name)
        case kind.FalseSchema() if keyword == "additionalProperties":
            # The schema names no key at all; then the error does not tell which keys there are.
            yield _unknown(path, str(keyword), _keys(value, path))
        case _:
            yield SchemaFault(path, _message(error)[:MAX_MESSAGE], kind.name)


def _unknown(path: Path, keyword: str, names: Sequence[str]) -> SchemaFault:
    known = tuple(sorted(names))
    listed = ", ".join(f"'{_cut(name)}'" for name in known[:10])
    text = f"unknown key {listed}" if len(known) == 1 else f"unknown keys {listed}"
    return SchemaFault(path, text, keyword, known)


def _keys(value: object, path: Path) -> list[str]:
    here: Json = value
    for part in path:
        here = here[part]
    return list(here) if isinstance(here, dict) else []


def _choice(
    error: jsonschema_rs.ValidationError,
    context: list[list[jsonschema_rs.ValidationError]],
    value: object,
) -> Iterator[SchemaFault]:
    """Give the faults of the one shape that was meant, where that can be told."""
    depth = len(error.instance_path)
    meant = [errors for errors in context if not any(_tells(each, depth) for each in errors)]
    if len(meant) == 1:
        for each in meant[0]:
            yield from _faults(each, value)
        return
    path, name = tuple(error.instance_path), error.kind.name
    types = [_types_at(errors, depth) for errors in context]
    if not meant and all(types):
        text = _expected_type([each for group in types for each in group], error.instance)
    else:
        text = f"matches none of the {len(context)} shapes that are allowed here"
    yield SchemaFault(path, text, name)


def _tells(error: jsonschema_rs.ValidationError, depth: int) -> bool:
    """Say whether the error shows that another shape was meant: the type, or the tag, differs."""
    kind = error.kind
    at = len(error.instance_path) - depth
    if isinstance(kind, (kind.Constant, kind.Enum)):
        return at <= 1
    return isinstance(kind, kind.Type) and at == 0


def _types_at(errors: list[jsonschema_rs.ValidationError], depth: int) -> list[str]:
    return [
        name
        for each in errors
        if isinstance(each.kind, each.kind.Type) and len(each.instance_path) == depth
        for name in each.kind.types
    ]


def _message(error: jsonschema_rs.ValidationError) -> str:
    kind, value = error.kind, error.instance
    match kind:
        case kind.Type():
            return _expected_type(kind.types, value)
        case kind.Enum():
            options = ", ".join(_shown(option) for option in kind.options[:10])
            return f"expected one of {options}; got {_shown(value)}"
        case kind.Constant():
            return f"expected {_shown(kind.expected_value)}, got {_shown(value)}"
        case kind.Pattern():
            return f"expected a text that matches {kind.pattern}"
        case kind.FalseSchema():
            return "nothing is allowed here"
        case kind.Format():
            return f"expected a text of the format {kind.format}"
    if kind.name in _BOUNDS:
        return f"expected {_BOUNDS[kind.name]} {kind.value}, got {_got(value)}"
    if kind.name in _SIZES:
        bound, noun = _SIZES[kind.name]
        return f"expected {bound} {_count(kind.value, noun)}, got {_got(value)}"
    return error.message


def _expected_type(types: Iterable[str], value: Json) -> str:
    # `null` last: "expected string or null" is how people say it.
    names = sorted(dict.fromkeys(types), key=lambda name: name == "null")
    return f"expected {' or '.join(names)}, got {_got(value)}"


def _got(value: Json) -> str:
    match value:
        case None | bool() | int() | float():
            return _shown(value)
        case str():
            return f"a text of {_count(len(value), 'character')}"
        case list():
            return f"a list of {_count(len(value), 'item')}"
        case dict():
            return f"an object of {_count(len(value), 'key')}"
    return "something else"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _shown(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{_cut(value)}'"
        case int() | float():
            return _cut(str(value))
    return _got(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
