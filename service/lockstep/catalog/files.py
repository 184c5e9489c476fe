"""Types of triggers from YAML files: what services publish that register nothing themselves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog
import yaml

from lockstep.catalog.documents import trigger_type
from lockstep.catalog.errors import CatalogError
from lockstep.catalog.memory import MemoryCatalog
from lockstep_schemas.base import Json
from lockstep_schemas.registration import TriggerRegister

SUFFIXES: Final = frozenset({".yaml", ".yml", ".json"})

log = structlog.get_logger()


def load_triggers(catalog: MemoryCatalog, folder: Path) -> list[str]:
    """Take the types of all files of a folder, in the order of their names.

    A file is one type, a list of them, or several documents; each as the API takes it. A wrong one
    is named in the log and left out, the others are taken.

    Returns:
        What is wrong, each with its file.
    """
    faults: list[str] = []
    paths = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)
    for path in paths:
        try:
            types = [*_types(yaml.safe_load_all(path.read_text()))]
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            faults.append(_refused(path, "", f"it cannot be read: {error}"))
            continue
        for place, given in types:
            try:
                document = msgspec.convert(given, TriggerRegister)
                catalog.put_trigger(trigger_type(document, f"file {path.name}"))
            except (msgspec.ValidationError, CatalogError) as error:
                faults.append(_refused(path, place, error))
    return faults


def _types(documents: Iterator[Json]) -> Iterator[tuple[str, Json]]:
    for number, document in enumerate(documents, 1):
        if isinstance(document, list):
            yield from ((f"document {number}, item {i}", one) for i, one in enumerate(document, 1))
        elif document is not None:
            yield f"document {number}", document


def _refused(path: Path, place: str, error: Exception | str) -> str:
    text = f"{path}{f' ({place})' if place else ''}: {error}"
    log.error("type.refused", source=str(path), place=place, error=error)
    return text
