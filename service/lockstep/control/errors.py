"""What the control API refuses."""

from collections.abc import Sequence
from typing import Literal

from lockstep.model.errors import EngineError
from lockstep_schemas.api import Issue


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
    return Refusal("not_found", f"{what} '{wanted}' not found")
