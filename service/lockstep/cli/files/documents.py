"""Automations and types as they stand in files: YAML or JSON, one or more in each."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as File

import msgspec
from msgspec import UNSET

from lockstep.cli.files import trigger_types
from lockstep.cli.files.trigger_types import TypeDocument
from lockstep.definition.documents import (
    TYPES,
    Document,
    files,
    is_cases,
    read_document,
    read_file,
)
from lockstep.definition.faults import Fault


class Documents(msgspec.Struct, frozen=True):
    """All documents of some files, and what is wrong with their frame."""

    documents: list[Document]
    faults: list[Fault]
    types: list[TypeDocument] = []


def load(paths: Iterable[File]) -> Documents:
    """Read all documents of files and folders; a document is judged without its definition.

    Cases that stand in a folder beside their automations are passed over.
    """
    found, faults, kinds = list[Document](), list[Fault](), list[TypeDocument]()
    named = set(paths := list(paths))
    for file in dict.fromkeys(files(paths)):
        sources, wrong = read_file(file)
        faults += wrong
        for source in sources:
            if file not in named and is_cases(source.value):
                continue
            if isinstance(source.value, dict) and TYPES in source.value:
                some, wrong = trigger_types.read(str(file), source)
                faults, kinds = [*faults, *wrong], [*kinds, *some]
                continue
            one, wrong = read_document(str(file), source)
            faults += wrong
            found += [one] if one is not None else []
    return Documents(found, [*faults, *_doubles(found), *trigger_types.doubles(kinds)], kinds)


def _doubles(documents: Sequence[Document]) -> Iterator[Fault]:
    """Find documents that are the same automation."""
    ids: dict[str, Document] = {}
    names: dict[str, Document] = {}
    for document in documents:
        if document.id is not UNSET:
            first = ids.setdefault(document.id, document)
            if first is not document:
                there = f"{first.file}:{first.source.place(('id',))[0]}"
                message = f"the id '{document.id}' is that of another document"
                yield document.fault_beside("id", message, f"it stands in {there}")
    for document in documents:
        first = names.setdefault(document.name, document)
        if first is not document and document.name and UNSET in {document.id, first.id}:
            place = first.source.place(("name",) if "name" in first.source.value else first.under)
            message = f"the name '{document.name}' is that of another document"
            hint = f"it stands in {first.file}:{place[0]}; give both an `id`"
            yield document.fault_beside("name", message, hint)
