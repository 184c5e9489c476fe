"""What `apply` will change: a pure function of what is stored and what the files say."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET

from lockstep.cli.files.diff import Difference, differences, meaning
from lockstep.cli.files.trigger_types import TypeChange
from lockstep.definition.documents import Document
from lockstep.definition.faults import Fault
from lockstep_schemas.api import Automation, AutomationUpdate

APPLY: Final = "apply"
"""Who manages what was applied."""
What = Literal["create", "update", "keep", "delete"]
DONE: Final[Mapping[What, str]] = {
    "create": "created",
    "update": "updated",
    "keep": "unchanged",
    "delete": "deleted",
}
"""What is said of a change when it is done."""

_FIELDS: Final = ("name", "description", "status", "group")


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one automation. `current` is what is stored, if it is."""

    what: What
    document: Document | None = None
    current: Automation | None = None
    differences: Sequence[Difference] = ()

    @property
    def name(self) -> str:
        """Its name, after the change."""
        if self.document is not None:
            return self.document.name
        return self.current.name if self.current is not None else ""

    @property
    def id(self) -> str | None:
        """Its id; None where the engine will give one."""
        if self.current is not None:
            return self.current.id
        given = self.document.id if self.document is not None else UNSET
        return None if given is UNSET else given

    @property
    def note(self) -> str:
        """What may surprise."""
        document, current = self.document, self.current
        if document is None or current is None or document.id in {UNSET, current.id}:
            return ""
        return f"has this name already, and keeps its id, {current.id}"

    def update(self, managed_by: str) -> AutomationUpdate:
        """Make the request that brings what is stored to what the document says."""
        if self.current is None or self.document is None:
            raise ValueError(f"{self.what} is no update")
        changed = {one.path[0] for one in self.differences} & {*_FIELDS, "definition"}
        return AutomationUpdate(
            id=self.current.id,
            managed_by=managed_by,
            expected_version=self.current.version,
            **{str(name): getattr(self.document, str(name)) for name in changed},
        )


class Plan(msgspec.Struct, frozen=True):
    """All changes in the order in which they are done, or why there can be none."""

    changes: list[PlannedChange]
    faults: list[Fault]
    types: list[TypeChange] = []


def plan(
    current: Sequence[Automation],
    documents: Sequence[Document],
    *,
    prune: bool = False,
    managed_by: str = APPLY,
) -> Plan:
    """Compare what is stored with what the documents say.

    A document is the automation of the same id, else that of the same name. What a document does
    not mention stays as it is. `prune` deletes those that are managed by `managed_by` and in no
    document.
    """
    by_id = {one.id: one for one in current}
    pairs = {
        number: by_id[document.id]
        for number, document in enumerate(documents)
        if document.id is not UNSET and document.id in by_id
    }
    faults = _match_names(current, documents, pairs)
    changes = [
        _change(document, pairs.get(number), managed_by)
        for number, document in enumerate(documents)
    ]
    if prune:
        kept = {one.id for one in pairs.values()}
        changes += [
            PlannedChange(what="delete", current=one)
            for one in current
            if one.managed_by == managed_by and one.id not in kept
        ]
    return Plan(changes, faults)


def _match_names(
    current: Sequence[Automation], documents: Sequence[Document], pairs: dict[int, Automation]
) -> list[Fault]:
    """Add the pairs of the same name to those of the same id."""
    taken = {one.id for one in pairs.values()}
    free: dict[str, list[Automation]] = {}
    for one in current:
        if one.id not in taken:
            free.setdefault(one.name, []).append(one)
    faults = []
    for number, document in enumerate(documents):
        named = free.get(document.name, [])
        if number in pairs or not named:
            continue
        if len(named) == 1:
            pairs[number] = named.pop()  # so that no two documents become the same one
        elif document.id is UNSET:
            ids = ", ".join(one.id for one in named)
            message = f"{len(named)} automations are called '{document.name}': {ids}"
            faults.append(document.fault_beside("name", message, "say which by its `id`"))
    return faults


def _change(document: Document, current: Automation | None, managed_by: str) -> PlannedChange:
    if current is None:
        return PlannedChange(what="create", document=document)
    found = list(differences(_stored(current, document), _wanted(document, managed_by)))
    what: What = "update" if found else "keep"
    return PlannedChange(what=what, document=document, current=current, differences=found)


def _wanted(document: Document, managed_by: str) -> Mapping[str, object]:
    given = {name: getattr(document, name) for name in _FIELDS}
    return {
        **{name: value for name, value in given.items() if value is not UNSET},
        "definition": meaning(document.definition),
        "managed_by": managed_by,
    }


def _stored(current: Automation, document: Document) -> Mapping[str, object]:
    given = [name for name in _FIELDS if getattr(document, name) is not UNSET]
    return {
        **{name: getattr(current, name) for name in given},
        "definition": meaning(current.definition),
        "managed_by": current.managed_by,
    }
