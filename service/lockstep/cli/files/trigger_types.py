"""Types of triggers as they stand in files, and what `apply` changes about them."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from lockstep.cli.files.diff import Difference, differences
from lockstep.definition.documents import TYPES as KEY
from lockstep.definition.faults import Fault, fault_at, split
from lockstep.definition.source import Source
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.catalog import TriggerInfo
from lockstep_schemas.registration import TriggerRegister

What = Literal["create", "update", "keep"]


class TypeDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One type of trigger in a file."""

    file: str
    source: Source
    index: int
    register: TriggerRegister

    def fault(self, message: str, hint: str | None = None) -> Fault:
        """Say what is wrong with it."""
        return fault_at(self.file, self.source, (KEY, self.index), message, hint)


class TypeChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one type."""

    what: What
    document: TypeDocument
    differences: Sequence[Difference] = ()

    @property
    def id(self) -> str:
        """Its id."""
        return self.document.register.id


def read(file: str, source: Source) -> tuple[list[TypeDocument], list[Fault]]:
    """Read a document whose one key is `trigger_types`: a list, each as the API takes it."""
    value = source.value
    faults = [
        fault_at(file, source, (key,), f"unknown key `{key}`", f"`{KEY}` stands alone")
        for key in value
        if key != KEY
    ]
    if not isinstance(value[KEY], list):
        faults.append(fault_at(file, source, (KEY,), "a list of types is expected"))
        return [], faults
    found = []
    for index, raw in enumerate(value[KEY]):
        document = _one(file, source, index, raw)
        if isinstance(document, Fault):
            faults.append(document)
        else:
            found.append(document)
    return found, faults


def _one(file: str, source: Source, index: int, raw: Json) -> TypeDocument | Fault:
    place = (KEY, index)
    if isinstance(raw, dict) and "owner" in raw:
        hint = "what is applied belongs to `apply`"
        return fault_at(file, source, (*place, "owner"), "an owner is not expected here", hint)
    from lockstep.catalog import CatalogError, trigger_type

    try:
        given = msgspec.convert(raw, TriggerRegister)
        trigger_type(given, "apply")
    except msgspec.ValidationError as error:
        message, path = split(str(error))
        return fault_at(file, source, (*place, *path), message)
    except CatalogError as error:
        return fault_at(file, source, place, str(error))
    return TypeDocument(file=file, source=source, index=index, register=given)


def doubles(documents: Sequence[TypeDocument]) -> list[Fault]:
    """Find types of the same id."""
    first: dict[str, TypeDocument] = {}
    faults = []
    for document in documents:
        other = first.setdefault(document.register.id, document)
        if other is not document:
            line = other.source.place((KEY, other.index))[0]
            message = f"the id '{document.register.id}' is that of another type"
            faults.append(document.fault(message, f"it stands in {other.file}:{line}"))
    return faults


def plan(
    current: Sequence[TriggerInfo], documents: Sequence[TypeDocument], owner: str
) -> tuple[list[TypeChange], list[Fault]]:
    """Compare what the engine knows with what the documents say; another owner's is a fault."""
    known = {one.qualified_id: one for one in current}
    changes, faults = [], []
    for document in documents:
        info = known.get(document.register.id)
        if info is None:
            changes.append(TypeChange(what="create", document=document))
        elif info.owner_plugin_id != owner:
            message = f"'{info.qualified_id}' is already registered by '{info.owner_plugin_id}'"
            faults.append(document.fault(message, "choose another id"))
        else:
            found = list(differences(_known(info), _wanted(document.register, owner)))
            what: What = "update" if found else "keep"
            changes.append(TypeChange(what=what, document=document, differences=found))
    return changes, faults


def _known(info: TriggerInfo) -> Mapping[str, Json]:
    return {
        "display_name": info.display_name,
        "description": info.description,
        "category": info.category,
        "payload_schema": info.payload_schema or None,
        "context_key": info.context_key,
    }


def _wanted(register: TriggerRegister, owner: str) -> Mapping[str, Json]:
    from lockstep.catalog import trigger_type

    kind = trigger_type(register, owner)
    schema: JsonObject | None = kind.payload_schema.document if kind.payload_schema else None
    return {
        "display_name": kind.display_name,
        "description": kind.description,
        "category": kind.category,
        "payload_schema": schema or None,
        "context_key": kind.context_key_text,
    }
