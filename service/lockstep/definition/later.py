"""What the language has and this version of the engine does not do yet: refused when stored."""

from collections.abc import Iterator

from lockstep.definition.tree import Path, actions
from lockstep_schemas.actions import Delay, ProviderAction, Wait
from lockstep_schemas.api import Issue
from lockstep_schemas.definition import Definition


def refusals(definition: Definition) -> Iterator[Issue]:
    """Name everything in a definition that this version cannot run."""
    if definition.mode in {"queued", "restart"}:
        yield _issue(("mode",), f"mode `{definition.mode}`")
    if definition.max_duration_seconds is not None:
        yield _issue(("max_duration_seconds",), "`max_duration_seconds`")
    for index, trigger in enumerate(definition.triggers):
        if trigger.window is not None:
            yield _issue(("triggers", index, "window"), "`window`")
        if trigger.for_ is not None:
            yield _issue(("triggers", index, "for"), "`for`")
    for path, action in actions(definition.actions, ("actions",)):
        if isinstance(action, Delay):
            yield _issue((*path, "delay"), "`delay`")
        elif isinstance(action, Wait):
            yield _issue((*path, "wait_for_trigger"), "`wait_for_trigger`")
        elif isinstance(action, ProviderAction) and action.retry and action.retry.attempts > 1:
            yield _issue((*path, "retry", "attempts"), "`retry` with more than one attempt")


def _issue(path: Path, what: str) -> Issue:
    return Issue(path=list(path), message=f"{what} is not supported by this version of the engine")
