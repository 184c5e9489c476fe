"""What the fields of the language alone do not say: kinds told by a key, rules between fields."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from lockstep.contract.builder import Addition, Builder, Schema, Special
from lockstep_schemas.actions import KINDS, Action, DelayFor, Loop
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
    """The kind is the one key that is there; what is wrong is told of that kind alone."""

    def make() -> Schema:
        return {
            "type": "object",
            "description": "One of the kinds: the key says which.",
            "anyOf": [{"required": [key]} for key in KINDS],
            "allOf": [
                {"if": {"type": "object", "required": [key]}, "then": builder.of(kind)}
                for key, kind in KINDS.items()
            ],
        }

    return builder.ref("Action", make)


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
