"""The files of the contract: generated texts, and where they stand under a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from lockstep.contract.asyncapi import asyncapi
from lockstep.contract.known import KnownTypes
from lockstep.contract.schemas import schemas

JSON_FOLDER: Final = "json"
SUFFIX: Final = ".schema.json"
ASYNCAPI: Final = "asyncapi.yaml"


class FileChange(msgspec.Struct, frozen=True):
    """A file that is not as it must be."""

    path: str
    what: Literal["new", "changed", "gone"]
    text: str | None


def documents(known: KnownTypes | None = None) -> Mapping[str, str]:
    """Give the text of every file by its path under `schemas/`; the same each time."""
    found = {
        f"{JSON_FOLDER}/{name}{SUFFIX}": _json(document)
        for name, document in schemas(known).items()
    }
    return {**dict(sorted(found.items())), ASYNCAPI: asyncapi()}


def changes(folder: Path, known: KnownTypes | None = None) -> list[FileChange]:
    """Say what `write` would do."""
    wanted = documents(known)
    found = []
    for name, text in wanted.items():
        path = folder / name
        if not path.is_file():
            found.append(FileChange(name, "new", text))
        elif path.read_text() != text:
            found.append(FileChange(name, "changed", text))
    there = [f"{JSON_FOLDER}/{path.name}" for path in (folder / JSON_FOLDER).glob(f"*{SUFFIX}")]
    return [
        *found,
        *(FileChange(name, "gone", None) for name in sorted(there) if name not in wanted),
    ]


def write(folder: Path, known: KnownTypes | None = None) -> None:
    """Make the files under `folder` what they must be; schemas that are gone are deleted."""
    for change in changes(folder, known):
        path = folder / change.path
        if change.text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change.text)


def _json(document: Mapping[str, object]) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
