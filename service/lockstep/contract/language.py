"""What the fields of the language alone do not say: kinds told by a key, rules between fields."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from lockstep.contract.builder import Addition, Builder, Schema, Special, docstring
from lockstep_schemas.actions import KINDS, Action, ActionBase, DelayFor, Loop
from lockstep_schemas.conditions import CONDITIONS, Condition, NumericBounds, TimeWindow
from lockstep_schemas.definition import Hold, Trigger
from lockstep_schemas.durations import UNIT_SECONDS, LookBack, MaxAge

_EXPRESSION: Final = r"\S"


def _is_there(name: str) -> Schema:
    """A key that is there and not null."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


def _one_of(names: Iterable[str]) -> Addition:
    return {"oneOf": [_is_there(name) for name in names]}


def _some_of(names: Iterable[str]) -> Addition:
    return {"anyOf": [_is_there(name) for name in names]}


ADDITIONS: Final[Mapping[type[msgspec.Struct], Addition]] = {
    DelayFor: _one_of(("seconds", "template")),
    Hold: _one_of(("seconds", "minutes", "hours", "template")),
    LookBack: _some_of(UNIT_SECONDS),
    MaxAge: {"oneOf": [_some_of(UNIT_SECONDS), _is_there("template")]},
    Loop: {
        **_one_of(("count", "for_each", "while", "until")),
        "if": {"not": _some_of(("while", "until"))},
        "then": {"properties": {"max_iterations": {"type": "null"}}},
    },
    NumericBounds: _some_of(("above", "below")),
    TimeWindow: _some_of(("after", "before", "weekday")),
    Trigger: {
        "if": {"not": _is_there("for")},
        "then": {
            "properties": {"cancel_filter": {"type": ["string", "null"], "pattern": r"^\s*$"}}
        },
    },
}
"""The rules of `definition.rules`, as far as a schema can say them."""


def action(builder: Builder) -> Schema:
    """The kind is the one key that is there; what is wrong is told of that kind alone.

    Where there is none yet, an editor is told of all; the words are those that it shows.
    """

    def make() -> Schema:
        kinds = {key: builder.of(kind) for key, kind in KINDS.items()}
        common = builder.struct(ActionBase)["properties"]
        offered = {key: _offered(builder, key, kind) for key, kind in KINDS.items()}
        words = ", ".join(f"`{key}`" for key in KINDS)
        none = {"title": "Action", "properties": {**offered, **common}}
        return {
            "description": "One of the kinds: the key says which.",
            "if": {"type": "object", "anyOf": [{"required": [key]} for key in KINDS]},
            "then": {
                "allOf": [{"if": {"required": [key]}, "then": kinds[key]} for key in KINDS],
            },
            "else": {
                "if": {"properties": {key: {} for key in common}, "additionalProperties": False},
                "then": {
                    **none,
                    "type": "object",
                    "required": ["action"],  # or another kind, as the message says
                    "errorMessage": f"An action has one of these keys: {words}.",
                },
                "else": {
                    **none,
                    "additionalProperties": False,
                    "errorMessage": f"There is no such kind of action; there are {words}.",
                },
            },
        }

    return builder.ref("Action", make)


def _offered(builder: Builder, key: str, kind: type[ActionBase]) -> Schema:
    """Give the field that tells a kind, with what the kind is for."""
    return {**builder.struct(kind)["properties"][key], "description": docstring(kind)}


def condition(builder: Builder) -> Schema:
    """An expression, or an object with one key."""

    def make() -> Schema:
        properties: dict[str, Any] = {}
        for key, kind in CONDITIONS.items():
            (field,) = msgspec.structs.fields(kind)
            words = builder.of(field.type)
            said = words.pop("description")
            about = (kind.__doc__ or "").partition("\n")[0]
            properties[key] = {"description": f"{about} {said}", **words}
        return {
            "description": f"A bare expression, or exactly one of {', '.join(CONDITIONS)}.",
            "type": ["string", "object"],
            "pattern": _EXPRESSION,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": properties,
            "additionalProperties": False,
        }

    return builder.ref("Condition", make)


SPECIALS: Final[Mapping[object, Special]] = {Action: action, Condition: condition}
