"""What the language has and this version of the engine does not do yet: refused when stored."""

from collections.abc import Iterator

from lockstep.definition.tree import Path
from lockstep_schemas.api import Issue
from lockstep_schemas.definition import Definition


def refusals(definition: Definition) -> Iterator[Issue]:
    """Name everything in a definition that this version cannot run."""
    if definition.mode in {"queued", "restart"}:
        yield _issue(("mode",), f"mode `{definition.mode}`")
    for index, trigger in enumerate(definition.triggers):
        if trigger.window is not None:
            yield _issue(("triggers", index, "window"), "`window`")
        if trigger.for_ is not None:
            yield _issue(("triggers", index, "for"), "`for`")


def _issue(path: Path, what: str) -> Issue:
    return Issue(path=list(path), message=f"{what} is not supported by this version of the engine")
