"""How deep values from outside may nest: what they are put into has to find room on the stack.

Python has 1000 frames, and encoders, schemas and walks take one for each level. Templates put
values into others, twice as deep at most; a definition adds its own levels, frames those of a walk.
"""

from typing import Final

from lockstep_schemas.base import Json

MAX_DEPTH: Final = 64
"""Levels of lists and objects in a payload, an artifact, or a body that is read as JSON."""
MAX_REQUEST_DEPTH: Final = 256
"""Levels in a request to the API: it may hold a definition, which has its own limit."""


def nests_deeper(value: object, levels: int) -> bool:
    """Say whether lists and objects are nested deeper, without a frame for each level."""
    layer: list[Json] = [value]
    for _ in range(levels + 1):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True


def may_nest_deeper(body: bytes, levels: int) -> bool:
    """Say whether a JSON text has so many brackets at all, which nearly none has."""
    return body.count(b"{") + body.count(b"[") > levels
