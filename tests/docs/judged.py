"""What stands in a block of YAML, judged as `lockstep validate` and `lockstep test` judge it.

A block may be a part: some triggers, some actions, some conditions, some fields of a definition.
The rest of an automation is put around it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from lockstep.catalog import build_catalog
from lockstep.cli.files import documents, verdicts
from lockstep.model.texts import path_text
from lockstep_schemas.actions import KINDS
from lockstep_schemas.conditions import CONDITIONS
from lockstep_schemas.definition import Definition
from pages import Block

FIELDS: Final = {field.encode_name for field in msgspec.structs.fields(Definition)}
EXAMPLE: Final = {"name": "Example", "triggers": [{"event": "example.event"}]}
FOR_SERVICES: Final = "no plug-in here has it; the engine may know it from a service"


def is_cases(block: Block) -> bool:
    """Tell whether a block is a file of cases."""
    return any(isinstance(one, dict) and "cases" in one for one in yaml.safe_load_all(block.text))


def whole(value: Any) -> Any:
    """Put what is missing around a part of an automation; leave all else as it is."""
    match value:
        case {"definition": _} | {"trigger_types": _} | {"cases": _}:
            return value
        case {"triggers": _, "name": _}:
            return value
        case dict() if set(value) <= FIELDS:
            return {**EXAMPLE, **value}
        case dict():
            return whole([value])
        case [dict() as first, *_] if set(first) & set(KINDS):
            return {**EXAMPLE, "actions": value}
        case [{"event": _}, *_]:
            return {**EXAMPLE, "triggers": value}
        case [str(), *_] | [dict(), *_] if _are_conditions(value):
            return {**EXAMPLE, "conditions": value}
        case _:
            return value


def _are_conditions(some: list[Any]) -> bool:
    return all(isinstance(one, str) or set(one) <= set(CONDITIONS) for one in some)


def told(block: Block, folder: Path) -> tuple[list[str], list[str]]:
    """Give the faults and the warnings of a block, `path: message (hint)`.

    An action that a service may have is none; one of the engine's own that is not there is.
    """
    parts = [whole(one) for one in yaml.safe_load_all(block.text)]
    file = folder / "block.yaml"
    file.write_text(block.text if parts == [*yaml.safe_load_all(block.text)] else _written(parts))
    loaded = documents.load([file])
    found = verdicts.faults_of(loaded, build_catalog(open=True), strict=False)
    faults = [_text(one) for one in found if one.severity == "error"]
    warnings = [_text(one) for one in found if one.severity != "error"]
    if not loaded.documents and not loaded.types and not faults:
        faults.append("there is no automation in it, and no part of one")
    return faults, [one for one in warnings if FOR_SERVICES not in one]


def _written(parts: list[Any]) -> str:
    return yaml.safe_dump_all(parts, sort_keys=False, allow_unicode=True)


def _text(one: Any) -> str:
    issue = one.issue
    path = f"{path_text(issue.path)}: " if issue.path else ""
    return path + issue.message + (f" ({issue.hint})" if issue.hint else "")


def unmet(expected: list[str], found: list[str]) -> Iterator[str]:
    """Compare what is expected with what is told; the hint may be left out."""
    left = list(found)
    for one in expected:
        match = next((text for text in left if text == one or text.startswith(f"{one} (")), None)
        if match is None:
            yield f"expected, but not told: {one}"
        else:
            left.remove(match)
    yield from (f"told, but not expected: {one}" for one in left)
