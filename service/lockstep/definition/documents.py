"""An automation as it stands in a file: a definition, with a frame around it or not."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path as File
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from lockstep.definition import foreign
from lockstep.definition.faults import Fault, fault_at
from lockstep.definition.source import Source, SourceError, read_all
from lockstep_schemas.api import AutomationCreate, Enabled, Issue
from lockstep_schemas.base import Json
from lockstep_schemas.definition import AutomationDocument

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})
TYPES: Final = "trigger_types"  # a document with this key holds types of triggers

_NONE: Final = {"definition", "triggers", "actions", TYPES}  # in a document with cases

# What may stand beside the definition, and of which type.
_BESIDE: Final[dict[str, object]] = {
    field.encode_name: Json if field.name == "definition" else field.type
    for field in msgspec.structs.fields(AutomationDocument)
}
_ALLOWED: Final = {
    "id": "letters, digits, `_`, `-`, 64 at most",
    "name": "a text of 1 to 200 characters",
    "group": "a text, or null",
    "status": "enabled or disabled",
    "description": "a text, or null",
}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One automation in a file. What is not given there is `UNSET`."""

    file: str
    source: Source
    under: tuple[str | int, ...]  # where the definition is in the source
    definition: Json
    name: str
    id: str | UnsetType = UNSET
    group: str | None | UnsetType = UNSET
    status: Enabled | UnsetType = UNSET
    description: str | None | UnsetType = UNSET

    def fault(self, issue: Issue, severity: str = "error") -> Fault:
        """Say where an issue of the definition is in the file."""
        located = self.source.locate(issue, self.under)
        return Fault(file=self.file, issue=located, severity=severity)

    def fault_beside(self, key: str, message: str, hint: str | None = None) -> Fault:
        """Say what is wrong with a key beside the definition."""
        line, column = self.source.place((key,))
        issue = Issue(path=[key], message=message, hint=hint, line=line, column=column)
        return Fault(file=self.file, issue=issue)

    def creation(self, managed_by: str) -> AutomationCreate:
        """Make the request that creates it."""
        return AutomationCreate(
            name=self.name,
            definition=self.definition,
            description=None if self.description is UNSET else self.description,
            status="enabled" if self.status is UNSET else self.status,
            group=None if self.group is UNSET else self.group,
            id=None if self.id is UNSET else self.id,
            managed_by=managed_by,
        )


def files(paths: Iterable[File]) -> Iterator[File]:
    """Give the files, those of folders by name; hidden ones only where they are named."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for inner in sorted(path.rglob("*")):
            parts = inner.relative_to(path).parts
            is_hidden = any(part.startswith(".") for part in parts)
            if inner.suffix in SUFFIXES and inner.is_file() and not is_hidden:
                yield inner


def read_file(file: File) -> tuple[list[Source], list[Fault]]:
    """Read all documents of a file, of whatever kind; what cannot be read is a fault."""
    try:
        return read_all(file.read_text()), []
    except SourceError as error:
        return [], [Fault(file=str(file), issue=error.issue)]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        issue = Issue(path=[], message=f"cannot be read: {reason}")
        return [], [Fault(file=str(file), issue=issue)]


def is_cases(value: Json) -> bool:
    """Say whether a document holds cases of `lockstep test`."""
    return (
        isinstance(value, dict) and isinstance(value.get("cases"), list) and _NONE.isdisjoint(value)
    )


def read_document(file: str, source: Source) -> tuple[Document | None, list[Fault]]:
    """Read one document: a definition with its frame, or without."""
    value = source.value
    begins = isinstance(value, dict) and ("triggers" in value or foreign.begins(value))
    if begins and "definition" not in value:
        return _make(file, source, (), {"definition": value}), []
    if not isinstance(value, dict) or "definition" not in value:
        message = "no automation: neither `definition` nor, as a definition has, `triggers`"
        hint = foreign.shape("Definition", value)
        if is_cases(value):
            hint = "it holds cases: `lockstep test` runs them"
        return None, [fault_at(file, source, (), message, hint)]
    faults = []
    for key, inner in value.items():
        if key not in _BESIDE:
            near = get_close_matches(key, _BESIDE, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_BESIDE)}"
            faults.append(fault_at(file, source, (key,), f"unknown key `{key}`", hint))
            continue
        try:
            msgspec.convert(inner, _BESIDE[key])
        except msgspec.ValidationError:
            faults.append(fault_at(file, source, (key,), f"expected {_ALLOWED[key]}"))
    if faults:
        return None, faults
    return _make(file, source, ("definition",), value), []


def _make(
    file: str, source: Source, under: tuple[str, ...], frame: dict[str, Json]
) -> Document | None:
    definition = frame["definition"]
    inner = definition.get("name") if isinstance(definition, dict) else None
    return Document(
        file=file,
        source=source,
        under=under,
        # A definition without a name is refused later, with all else that is wrong with it.
        **{"name": inner if isinstance(inner, str) else "", **frame},
    )
