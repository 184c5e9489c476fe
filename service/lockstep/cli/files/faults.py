"""What is wrong in a file, and where."""

from collections.abc import Sequence

import msgspec

from lockstep.definition import Source
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


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as people do: `actions[2].delay.seconds`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
