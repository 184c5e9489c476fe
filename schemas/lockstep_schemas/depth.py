"""How deep values from outside may nest: what they are put into has to find room on the stack.

Python has 1000 frames, and encoders, schemas and walks take one for each level. Templates put
values into others, twice as deep at most; a definition adds its own levels, frames those of a walk.
"""

import re
from typing import Final

import msgspec

from lockstep_schemas.base import Json

MAX_DEPTH: Final = 64
"""Levels of lists and objects in a payload, an artifact, or a body that is read as JSON."""
MAX_REQUEST_DEPTH: Final = 256
"""Levels in a request to the API: it may hold a definition, which has its own limit."""

# A text that is not closed goes to the end: so each byte is looked at once.
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def nests_deeper(value: object, levels: int) -> bool:
    """Say whether lists and objects are nested deeper, without a frame for each level.

    A list of numbers is one level, a number none.
    """
    layer: list[Json] = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        if not layer:
            return False
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
    return bool(layer)


def may_nest_deeper(body: bytes, levels: int) -> bool:
    """Say whether a JSON text has so many brackets at all, which nearly none has."""
    return body.count(b"{") + body.count(b"[") > levels


def too_deep(body: bytes, levels: int) -> list[str] | None:
    """Say where a JSON text nests deeper: the field of its object, nothing where it is none.

    It is not read, as what nests too deep cannot be; what is no JSON has some answer. None if it
    does not nest deeper.
    """
    depth, field = 0, b""
    for found in _TOKEN.finditer(body):
        token = found[0]
        if token in (b"{", b"["):
            depth += 1
            if depth > levels:
                return [_name(field)] if field and body.lstrip().startswith(b"{") else []
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1:
            field = token  # before an object or a list, the last text is its name
    return None


def _name(text: bytes) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except ValueError:
        return text.decode(errors="replace")
