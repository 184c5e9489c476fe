"""Case files: YAML in, cases out; an unknown key is an error with its place."""

from collections.abc import Iterator
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
from lockstep.definition import Source, SourceError, read
from lockstep.model.errors import EngineError
from lockstep_schemas.base import Json


class CasesRefused(EngineError):
    """Files that hold no cases of ours; each fault has its place."""

    code = "cases.refused"
    category = "bad_request"
    advice = "Correct each place that is named; `schemas/json/case-file.schema.json` is the form."


class Found(msgspec.Struct, frozen=True):
    """A case, the group of its file, and where it stands."""

    case: Case
    group: str
    path: Path
    line: int


def load(paths: list[Path]) -> list[Found]:
    """Read all cases of files.

    Raises:
        CasesRefused: A file cannot be read, or a case is wrong; all faults are named.
    """
    found: list[Found] = []
    faults: list[str] = []
    for path in paths:
        try:
            source = read(path.read_text())
        except SourceError as error:
            faults.append(f"{path}:{error.issue.line}:{error.issue.column}: {error.issue.message}")
            continue
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
            continue
        for entry in _cases(path, source):
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


def _cases(path: Path, source: Source) -> Iterator[Found | str]:
    document = source.value
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        yield f"{path}:1:1: expected {{group?, cases: [...]}}"
        return
    for name in document:
        if name not in {"group", "cases"}:
            line, column = source.place((name,))
            yield f"{path}:{line}:{column}: unknown key `{name}`"
    group = str(document.get("group") or path.stem)
    for index, raw in enumerate(document["cases"]):
        line, column = source.place(("cases", index))
        try:
            yield Found(_case(raw), group, path, line)
        except msgspec.ValidationError as error:
            identity = raw.get("id") if isinstance(raw, dict) else None
            yield f"{path}:{line}:{column}: case {identity or index}: {error}"


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
                    raise msgspec.ValidationError(f"{error} (in {place})") from None
    raise msgspec.ValidationError(f"expected one of event, wait_s, op, concurrent - at `{place}`")
