"""Where the definitions of a case stand: in the case itself, or in a file that it names."""

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path as File
from typing import Final

import msgspec
from msgspec import UNSET

from lockstep.cases.format import Reference
from lockstep.definition.documents import (
    SUFFIXES,
    TYPES,
    Document,
    files,
    read_document,
    read_file,
)
from lockstep.definition.faults import fault_at, split
from lockstep.definition.source import Path, Source
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json

_KEYS: Final = Reference.__struct_fields__


class Origin(msgspec.Struct, frozen=True):
    """Where a definition stands, and where a case names its file, if it does."""

    document: Document
    named_at: str = ""

    def told(self, issue: Issue) -> str:
        """Say an issue as `validate` does, with both files where there are two."""
        fault = str(self.document.fault(issue))
        return f"{self.named_at}: {fault}" if self.named_at else fault


def key_of(definition: Json) -> bytes:
    """Give what is equal for definitions that say the same."""
    return msgspec.json.encode(definition, order="deterministic")


class Resolved(msgspec.Struct):
    """A case with its definitions in it, where each stands, by its key, and what is wrong."""

    raw: Json
    origins: dict[bytes, Origin] = {}
    faults: list[str] = []


class Origins:
    """Puts definitions in the place of references; each file is read once."""

    def __init__(self) -> None:
        self._read: dict[File, tuple[list[Document], list[str]]] = {}

    def resolve(self, file: File, source: Source, at: Path) -> Resolved:
        """Put the definitions into the case at a place of a file of cases."""
        made = Resolved(_at(source.value, at))
        for place in _places(made.raw):
            value, here = _at(made.raw, place), (*at, *place)
            if not _is_reference(value):
                origin = Origin(_inline(file, source, here, value))
            else:
                try:
                    document = self._named(file, value)
                except _Wrong as wrong:
                    made.faults += wrong.lines(file, source, here)
                    continue
                line, column = source.place(here)
                origin = Origin(document, f"{file}:{line}:{column}")
                made.raw = _with(made.raw, place, document.definition)
            made.origins.setdefault(key_of(origin.document.definition), origin)
        return made

    def _named(self, file: File, value: Json) -> Document:
        """Find the document that a reference names."""
        reference, key = _reference(value)
        name = os.path.normpath(file.parent / str(reference.file or reference.folder))
        path, wanted = File(name), reference.id
        if key == "file" and path.is_dir():
            raise _Wrong(f"{name} is a folder", "write `folder`, and an `id`", key)
        if not (path.is_dir() if key == "folder" else path.exists()):
            raise _Wrong(f"there is no {key} {name}", "a path begins at the file of the case", key)
        documents, unread = self._documents(path)
        found = [one for one in documents if wanted is None or one.id == wanted]
        if unread and (wanted is None or not found):
            raise _Wrong("", also=unread)
        if len(found) == 1:
            return found[0]
        ids = [str(one.id) for one in documents if one.id is not UNSET]
        if found and wanted is None:
            known = f": {', '.join(ids)}" if ids else "; give each one"
            raise _Wrong(f"{len(found)} automations are in {name}", f"an `id` says which{known}")
        if found:
            places = ", ".join(_place(one) for one in found)
            raise _Wrong(f"the id '{wanted}' stands there more than once: {places}", None, "id")
        if wanted is None:
            raise _Wrong(f"no automation is in {name}", None, key)
        near = get_close_matches(wanted, ids, 1)
        hint = f"there are {', '.join(ids)}" if ids else "no document there has an `id`"
        hint = f"did you mean `{near[0]}`?" if near else hint
        raise _Wrong(f"no automation in {name} has the id '{wanted}'", hint, "id")

    def _documents(self, path: File) -> tuple[list[Document], list[str]]:
        """Give the automations of a file or folder, and what of it cannot be read."""
        if path not in self._read:
            documents, unread = list[Document](), list[str]()
            for file in files([path]):
                sources, faults = read_file(file)
                for source in sources:
                    value = source.value
                    if isinstance(value, dict) and (TYPES in value or "cases" in value):
                        continue
                    one, wrong = read_document(str(file), source)
                    documents += [one] if one is not None else []
                    faults += wrong
                unread += [str(fault) for fault in faults]
            self._read[path] = documents, unread
        return self._read[path]


class _Wrong(Exception):
    """A reference leads to no automation, or to more than one."""

    def __init__(
        self, message: str, hint: str | None = None, key: str = "", also: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.key, self.also = message, hint, key, also

    def lines(self, file: File, source: Source, here: Path) -> list[str]:
        """Say it with the place of the reference; of faults in the other file with both."""
        if self.also:
            line, column = source.place(here)
            return [f"{file}:{line}:{column}: {one}" for one in self.also]
        place = (*here, self.key) if self.key else here
        return [str(fault_at(str(file), source, place, self.message, self.hint))]


def _reference(value: Json) -> tuple[Reference, str]:
    """Convert a reference; give which of `file` and `folder` it has."""
    if isinstance(value, str):
        raise _Wrong(f"a text is no definition: '{value}'", f"write `{{file: {value}}}`")
    for name in value:
        if name not in _KEYS:
            near = get_close_matches(name, _KEYS, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(_KEYS)}"
            raise _Wrong(f"unknown key `{name}`", hint, name)
    try:
        made = msgspec.convert(value, Reference)
    except msgspec.ValidationError as error:
        message, path = split(str(error))
        raise _Wrong(message, None, str(path[0]) if path else "") from None
    if (made.file is None) == (made.folder is None):
        raise _Wrong("one of `file`, `folder` is expected")
    if made.folder is not None and made.id is None:
        raise _Wrong("an `id` is missing", "it says which automation of the folder is meant")
    return made, "file" if made.file is not None else "folder"


def _is_reference(value: Json) -> bool:
    if isinstance(value, str):
        return File(value).suffix in SUFFIXES
    if not isinstance(value, dict) or "triggers" in value:
        return False
    names = ("file", "folder")
    if {"name", "actions"} & {*value}:  # a key that is nearly one of those is a fault of it
        return not value.keys().isdisjoint(names)
    return any(get_close_matches(name, names, 1) for name in value)


def _inline(file: File, source: Source, here: Path, value: Json) -> Document:
    name = value.get("name") if isinstance(value, dict) else None
    return Document(
        file=str(file),
        source=source,
        under=here,
        definition=value,
        name=name if isinstance(name, str) else "",
    )


def _place(document: Document) -> str:
    return f"{document.file}:{document.source.place((*document.under[:-1], 'id'))[0]}"


def _places(raw: Json) -> Iterator[Path]:
    """Give where definitions stand in a case of events."""
    if not isinstance(raw, dict) or "definition" in raw:
        return
    if "automation" in raw:
        yield ("automation",)
    for index, one in enumerate(_list(raw.get("automations"))):
        yield from _definition(one, ("automations", index))
    for index, one in enumerate(_list(raw.get("events"))):
        yield from _definition(one, ("events", index))
        if isinstance(one, dict):
            for inner, other in enumerate(_list(one.get("concurrent"))):
                yield from _definition(other, ("events", index, "concurrent", inner))


def _definition(raw: Json, place: Path) -> Iterator[Path]:
    if isinstance(raw, dict) and "definition" in raw:
        yield (*place, "definition")


def _list(raw: Json) -> Sequence[Json]:
    return raw if isinstance(raw, list) else ()


def _at(raw: Json, place: Path) -> Json:
    for part in place:
        raw = raw[part]
    return raw


def _with(raw: Json, place: Path, value: Json) -> Json:
    """Give a copy with another value at a place."""
    if not place:
        return value
    made: Json = dict(raw) if isinstance(raw, dict) else list(raw)
    made[place[0]] = _with(raw[place[0]], place[1:], value)
    return made
