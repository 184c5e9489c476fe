"""Headers of what actions send: those of authors, and what the engine says of the cause."""

import re
from collections.abc import Mapping, Set
from typing import Final

from lockstep.model.types import ActionContext, shared
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import HEADER_TRACE

NAME: Final = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def names_schema(own: Set[str]) -> JsonObject:
    """Give the JSON Schema of the names that an author may use: not those of the engine."""
    return {"pattern": f"^{NAME}$", "not": {"pattern": f"(?i)^({'|'.join(sorted(own))})$"}}


def headers_fault(headers: Mapping[str, str], own: Set[str]) -> str | None:
    """Say what is wrong with the headers that an author gave; `own` are the engine's, lower case.

    Values are not shown: they may be secrets.
    """
    for name, value in headers.items():
        if name.lower() in own:
            return f"header '{name}': the engine sets it; leave it out"
        if not re.fullmatch(NAME, name):
            return f"header {name!r}: a name of letters, digits and hyphens is expected"
        if any(char in value for char in "\r\n\0"):
            return f"header '{name}': a value without line breaks is expected"
    return None


def hop(scope: Mapping[str, object]) -> int:
    """Give how many automations led to the event of a run; 0 where that is unknown."""
    trigger = shared(scope).get("trigger")
    known = trigger.get("hop") if isinstance(trigger, Mapping) else None
    return known if isinstance(known, int) and known > 0 else 0


def trace(context: ActionContext) -> dict[str, str]:
    """Give the header of the trace that goes on. Source: W3C Trace Context."""
    return {} if context.traceparent is None else {HEADER_TRACE: context.traceparent}
