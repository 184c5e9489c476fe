"""What the control API refuses."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from lockstep.model.errors import EngineError
from lockstep_schemas.api import AutomationId, Issue

MAX_SHOWN: Final = 200


class Refusal(EngineError):
    """A request that is not carried out: the code of the reply, and why."""

    code = "api.refused"

    def __init__(
        self,
        kind: Literal["bad_request", "not_found", "conflict"],
        message: str,
        issues: Sequence[Issue] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.issues = list(issues)


def not_found(what: str, wanted: str) -> Refusal:
    """Say that there is no such thing."""
    shown = wanted if len(wanted) <= MAX_SHOWN else f"{wanted[:MAX_SHOWN]}..."
    return Refusal("not_found", f"{what} '{shown}' not found")


def bad_field(message: str, *path: str | int) -> Refusal:
    """Say that a field of the request is wrong."""
    return Refusal("bad_request", message, [Issue(path=list(path), message=message)])


def check_automation_id(text: str) -> None:
    """Refuse what is no id of an automation: it has no place in a subject or a query.

    Raises:
        Refusal: There is no automation with such an id.
    """
    try:
        msgspec.convert(text, AutomationId)
    except msgspec.ValidationError:
        raise not_found("automation", text) from None
