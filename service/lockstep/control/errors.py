"""What the control API refuses."""

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from lockstep.model.errors import Category, EngineError
from lockstep_schemas.api import AutomationId, Issue

MAX_SHOWN: Final = 200  # characters of an id that was wrong: enough to know it again


class Refusal(EngineError):
    """A request is not carried out, and nothing was changed; the message says why."""

    code = "request.refused"
    category: ClassVar[Category] = "bad_request"
    advice = "Correct the request as the message says."

    def __init__(self, message: str, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message)
        self.issues = issues


class InvalidRequest(Refusal):
    """A request, a header or a field of it is not of the form that the operation takes."""

    code = "request.invalid"
    advice = "Correct the field that `issues` names; `schemas/json` has the form of each request."


class InvalidDefinition(Refusal):
    """A definition has faults, all of which are in `issues`; it was not stored."""

    code = "definition.invalid"
    advice = "Correct each place in `issues`; `lockstep validate FILE` finds them without a server."


class NotFound(Refusal):
    """The thing that a request names is not there."""

    code = "request.not_found"
    category = "not_found"
    advice = "Look at the list of such things for the right id."
    what: ClassVar[str] = "thing"

    def __init__(self, wanted: str) -> None:
        shown = wanted if len(wanted) <= MAX_SHOWN else f"{wanted[:MAX_SHOWN]}..."
        super().__init__(f"{self.what} '{shown}' not found")


class AutomationNotFound(NotFound):
    """There is no automation of this id."""

    code = "automation.not_found"
    advice = "`lockstep automations list` has the ids."
    what = "automation"


class AutomationNotEnabled(NotFound):
    """There is no automation of this id that can be started: it is unknown or disabled."""

    code = "automation.not_enabled"
    advice = "Enable it with `lockstep toggle ID --on`; `lockstep automations list` has the ids."
    what = "enabled automation"


class RunNotFound(NotFound):
    """There is no run of this id: there never was, or it is past its retention."""

    code = "run.not_found"
    advice = "`lockstep runs list` has the ids."
    what = "run"


class ArtifactNotFound(NotFound):
    """There is no open artifact of this id."""

    code = "artifact.not_found"
    advice = "`lockstep runs show RUN_ID` has the artifacts of a run."
    what = "artifact"


class LetterNotFound(NotFound):
    """There is no dead letter of this id: it was retried, discarded, or is past its retention."""

    code = "letter.not_found"
    advice = "`lockstep dead list` has the ids."
    what = "dead letter"


class FailureNotFound(NotFound):
    """There is no failure of a migration of this id, or it was acknowledged."""

    code = "migration.failure_not_found"
    advice = "`lockstep migration failures` has the ids."
    what = "migration failure"


class AutomationExists(Refusal):
    """An automation of this id is there already."""

    code = "automation.exists"
    category = "conflict"
    advice = "Update it, or create one of another id."


class StaleVersion(Refusal):
    """An automation was changed by somebody else since it was read."""

    code = "automation.stale_version"
    category = "conflict"
    advice = "Read it again and repeat the change."


class NotRetriable(Refusal):
    """A run is in no state in which it can be retried like this."""

    code = "run.not_retriable"
    category = "conflict"
    advice = "Do first what the message names; `from: start` needs the least."


def bad_field(message: str, *path: str | int) -> InvalidRequest:
    """Say that a field of the request is wrong."""
    return InvalidRequest(message, [Issue(path=list(path), message=message)])


def check_automation_id(text: str) -> None:
    """Refuse what is no id of an automation: it has no place in a subject or a query.

    Raises:
        AutomationNotFound: There is no automation with such an id.
    """
    try:
        msgspec.convert(text, AutomationId)
    except msgspec.ValidationError:
        raise AutomationNotFound(text) from None
