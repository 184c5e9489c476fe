"""Words for what was expected and what is there."""

import types
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from lockstep_schemas.base import Json

MAX_NAME: Final = 80  # characters: a line of a terminal
MAX_MESSAGE: Final = 1000  # characters: what the author wrote may be in it, however long

_NAMES: dict[Any, str] = {
    str: "a text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
    type(None): "null",
}


def got(raw: Json) -> str:
    """Say what is there, shortened."""
    if raw is None:
        return "null"
    if isinstance(raw, dict):
        return "an object" if raw else "an empty object"
    if isinstance(raw, list):
        return "a list" if raw else "an empty list"
    if isinstance(raw, str):
        if not raw:
            return "an empty text"
        return f"the text {msgspec.json.encode(raw[:60]).decode()}" + "..." * (len(raw) > 60)
    return msgspec.json.encode(raw).decode() if abs(raw) < 2**63 else "a huge number"


def short(text: str, most: int = MAX_NAME) -> str:
    """Give a text in a length that people read."""
    return text if len(text) <= most else f"{text[:most]}..."


def expected(kind: Any) -> str:
    """Say what a type takes, with its bounds."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *bounds = get_args(kind)
        return _bounded(inner, [bound for bound in bounds if isinstance(bound, msgspec.Meta)])
    if origin is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(kind))
    if origin in {Union, types.UnionType}:
        options = [option for option in get_args(kind) if option is not type(None)]
        if float in options:
            options = [option for option in options if option is not int]
        return " or ".join(expected(option) for option in options)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "an object"
    return _NAMES.get(origin or kind, "a value")


def _bounded(kind: Any, bounds: list[msgspec.Meta]) -> str:
    words = expected(kind)
    for bound in bounds:
        if bound.ge is not None and bound.le is not None:
            words += f" from {_number(bound.ge)} to {_number(bound.le)}"
        elif bound.gt is not None and bound.le is not None:
            words += f" above {_number(bound.gt)}, up to {_number(bound.le)}"
        elif bound.ge is not None:
            words += f" of at least {_number(bound.ge)}"
        if bound.min_length and bound.max_length:
            words += f" of {bound.min_length} to {bound.max_length} characters"
        elif bound.max_length:
            words += f" of at most {bound.max_length} characters"
        elif bound.min_length:
            words += " with at least 1 item" if _is_list(kind) else " that is not empty"
        if bound.pattern == r"\S":
            words += " that is not empty"
        elif bound.description and bound.pattern:
            words += f" ({bound.description.rstrip('.')})"
    return words


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in {list, dict}


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
