"""What programs are told of an error: the body of an error reply, and its status."""

from collections.abc import Mapping
from typing import Final

from lockstep.model.errors import Category, EngineError
from lockstep_schemas.api import Fault

STATUS: Final[Mapping[Category, str]] = {
    "bad_request": "400",
    "not_found": "404",
    "conflict": "409",
    "internal": "500",
    "busy": "503",
}

MAX_MESSAGE: Final = 2000
"""Much of a message may be of the request: what comes back has to fit into a reply."""


def fault_of(error: EngineError) -> Fault:
    """Say of an error what kind it is, its stable code, and what happened where."""
    return Fault(
        code=error.category,
        error=error.code,
        message=str(error)[:MAX_MESSAGE],
        issues=list(error.issues) or None,
    )
