"""What is wrong in a file, and where."""

from collections.abc import Iterable, Sequence

import msgspec

from lockstep.definition.source import Source
from lockstep.model.texts import path_text
from lockstep_schemas.api import Issue


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, or may be, in a file."""

    file: str
    issue: Issue
    severity: str = "error"

    def __str__(self) -> str:
        """Give it as compilers do: `file:line:column: path: message (hint)`."""
        issue = self.issue
        place = f"{self.file}:{issue.line or 1}:{issue.column or 1}"
        path = f" {path_text(issue.path)}:" if issue.path else ""
        severity = "" if self.severity == "error" else f" {self.severity}:"
        hint = f" ({issue.hint})" if issue.hint else ""
        return f"{place}:{path}{severity} {issue.message}{hint}"


def fault_at(
    file: str,
    source: Source,
    path: Sequence[str | int],
    message: str,
    hint: str | None = None,
) -> Fault:
    """Say what is wrong at a place of a document."""
    issue = source.locate(Issue(path=list(path), message=message, hint=hint))
    return Fault(file=file, issue=issue)


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Sort faults as somebody meets them who reads the files."""
    return sorted(faults, key=lambda one: (one.file, one.issue.line or 0, one.issue.column or 0))


def split(text: str) -> tuple[str, list[str | int]]:
    """Split an error of msgspec into its message and the path that stands at its end.

    `Expected `int`, got `str` - at `$.items[0].limit`` gives ["items", 0, "limit"].
    """
    message, found, place = text.rpartition(" - at `$")
    if not found:
        return text, []
    path: list[str | int] = []
    for part in place.rstrip("`").replace("[", ".[").split("."):
        if part.startswith("[") and part[1:-1].isdigit():
            path.append(int(part[1:-1]))
        elif part:
            path.append(part)
    return message, path
