"""Case files: YAML in, cases out; an unknown key is an error with its place."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from lockstep.cases.format import (
    ApiCase,
    Case,
    Concurrent,
    Entry,
    EventCase,
    MigrationCase,
    OperationEntry,
    PublishEntry,
    RegistryCase,
    ValidationCase,
    ValueCase,
    WaitEntry,
)
from lockstep.cases.operations import START, STOP
from lockstep.cases.origins import Origin, Origins, key_of
from lockstep.definition.documents import files, is_cases, read_file
from lockstep.definition.faults import fault_at, split
from lockstep.definition.source import Source, SourceError, read
from lockstep.model.errors import EngineError
from lockstep_schemas.api import Issue
from lockstep_schemas.base import Json


class CasesRefused(EngineError):
    """Files that hold no cases of ours; each fault has its place."""

    code = "cases.refused"
    category = "bad_request"
    advice = "Correct each place that is named; `schemas/json/case-file.schema.json` is the form."


class Found(msgspec.Struct, frozen=True):
    """A case, the group of its file, where it stands, and where its definitions do."""

    case: Case
    group: str
    path: Path
    line: int
    origins: Mapping[bytes, Origin] = {}

    def name_of(self, definition: Json) -> str | None:
        """Give the name of an automation, where that is not left to the engine."""
        origin = self.origins.get(key_of(definition))
        return origin.document.name or None if origin is not None else None

    def told(self, definition: Json, issues: Sequence[Issue]) -> list[str]:
        """Say what is wrong with a definition of it, in the words and places of `validate`."""
        origin = self.origins.get(key_of(definition))
        return [origin.told(issue) for issue in issues] if origin is not None else []


def load(paths: list[Path]) -> list[Found]:
    """Read all cases of files, and of those in folders that hold cases.

    Raises:
        CasesRefused: A file cannot be read, or a case is wrong; all faults are named.
    """
    found: list[Found] = []
    faults: list[str] = []
    origins = Origins()
    for path in dict.fromkeys(files(paths)):
        if path not in paths and not _holds_cases(path):
            continue  # the automations stand beside them
        try:
            source = read(path.read_text())
        except SourceError as error:
            faults.append(f"{path}:{error.issue.line}:{error.issue.column}: {error.issue.message}")
            continue
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            continue
        for entry in _cases(path, source, origins):
            if isinstance(entry, str):
                faults.append(entry)
            else:
                found.append(entry)
    seen: dict[str, Found] = {}
    for entry in found:
        twin = seen.setdefault(entry.case.id, entry)
        if twin is not entry:
            place = f"{twin.path}:{twin.line}"
            faults.append(
                f"{entry.path}:{entry.line}: the id '{entry.case.id}' stands at {place} too"
            )
    if faults:
        raise CasesRefused("\n".join(faults))
    return found


def _holds_cases(path: Path) -> bool:
    """Say whether a file of a folder is ours; one that cannot be read may be."""
    sources, wrong = read_file(path)
    return bool(wrong) or any(is_cases(source.value) for source in sources)


def _cases(path: Path, source: Source, origins: Origins) -> Iterator[Found | str]:
    document = source.value
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        yield f"{path}:1:1: expected {{group?, cases: [...]}}"
        return
    for name in document:
        if name not in {"group", "cases"}:
            yield str(fault_at(str(path), source, (name,), f"unknown key `{name}`"))
    group = str(document.get("group") or path.stem)
    for index in range(len(document["cases"])):
        place = ("cases", index)
        resolved = origins.resolve(path, source, place)
        yield from resolved.faults
        if resolved.faults:
            continue
        try:
            case = _case(resolved.raw)
        except msgspec.ValidationError as error:
            message, inner = _split(str(error))
            yield str(fault_at(str(path), source, (*place, *inner), message))
        else:
            yield Found(case, group, path, source.place(place)[0], resolved.origins)


def _split(text: str) -> tuple[str, list[str | int]]:
    """Split an error of msgspec into its message and the place, that of a key where it is one."""
    message, place = split(text)
    named = re.fullmatch(r"Object (contains unknown|missing required) field `([^`]*)`", message)
    if named is None:
        return message, place
    name = named[2]
    return f"`{name}` is missing" if named[1][0] == "m" else f"unknown key `{name}`", [*place, name]


def _case(raw: Json) -> Case:
    """Tell the kind of a case by its keys, and convert it."""
    if not isinstance(raw, dict):
        raise msgspec.ValidationError("expected an object")
    if "calls" in raw:
        return msgspec.convert(raw, ApiCase)
    if "register" in raw:
        return msgspec.convert(raw, RegistryCase)
    if "subscription" in raw:
        return msgspec.convert(raw, MigrationCase)
    if any(key in raw for key in ("template", "expression", "condition")):
        return msgspec.convert(raw, ValueCase)
    if "definition" in raw:
        return msgspec.convert(raw, ValidationCase)
    case = msgspec.convert(raw, EventCase)
    _check_stops(case)
    if (case.automation is UNSET) == (not case.automations):
        raise msgspec.ValidationError("one of `automation`, `automations` is expected")
    return case


def entries(case: EventCase) -> list[Entry]:
    """Convert the entries of a case.

    Raises:
        ValidationError: One is of no kind, or has an unknown key.
    """
    return [_entry(raw, f"$.events[{index}]") for index, raw in enumerate(case.events)]


def _check_stops(case: EventCase) -> None:
    """Refuse what needs an engine where a case has stopped it, and what stops or starts in vain.

    Whether something that happens at the same moment comes before a stop or after it, nobody can
    say: only events, which are stored either way, go with one.
    """
    is_stopped = False
    for index, entry in enumerate(entries(case)):
        together = entry.concurrent if isinstance(entry, Concurrent) else [entry]
        operations = [one.op for one in together if isinstance(one, OperationEntry)]
        fault: str | None = None
        if {STOP, START} & {*operations} and len(operations) > 1:
            fault = f"beside `{STOP}` and `{START}` may stand events, no other operation"
        elif START in operations and not is_stopped:
            fault = f"`{START}`: an engine runs already"
        elif operations and operations != [START] and is_stopped:
            fault = f"`{operations[0]}`: no engine runs, `{START}` comes first"
        elif is_stopped and any(
            isinstance(one, PublishEntry) and one.crash_after for one in together
        ):
            fault = f"`crash_after`: no engine runs that could die, `{START}` comes first"
        if fault is not None:
            raise msgspec.ValidationError(f"{fault} - at `$.events[{index}]`")
        is_stopped = STOP in operations or (is_stopped and START not in operations)


def _entry(raw: Any, place: str) -> Entry:  # noqa: ANN401 - JSON
    kinds: dict[str, type[PublishEntry | WaitEntry | OperationEntry]] = {
        "event": PublishEntry,
        "wait_s": WaitEntry,
        "op": OperationEntry,
    }
    if isinstance(raw, dict):
        if set(raw) == {"concurrent"} and isinstance(raw["concurrent"], list):
            inner = [
                _entry(one, f"{place}.concurrent[{i}]") for i, one in enumerate(raw["concurrent"])
            ]
            if any(isinstance(one, Concurrent) for one in inner):
                raise msgspec.ValidationError(f"concurrent in concurrent - at `{place}`")
            return Concurrent(concurrent=[one for one in inner if not isinstance(one, Concurrent)])
        for key, kind in kinds.items():
            if key in raw:
                try:
                    return msgspec.convert(raw, kind)
                except msgspec.ValidationError as error:
                    message, _, within = str(error).partition(" - at `$")
                    at = f"{place}{within.removesuffix('`')}"
                    raise msgspec.ValidationError(f"{message} - at `{at}`") from None
    raise msgspec.ValidationError(f"expected one of event, wait_s, op, concurrent - at `{place}`")
