"""Runs cases: each alone, through the whole engine, with a clock that the case moves."""

import asyncio
import re
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET

from lockstep.cases.api_calls import ApiWorld, missing
from lockstep.cases.api_calls import differences as api_differences
from lockstep.cases.coverage import Way, of_runs
from lockstep.cases.expect import Seen, differences
from lockstep.cases.format import (
    STARTS_AT,
    ApiCase,
    Case,
    Concurrent,
    Entry,
    EventCase,
    Expect,
    MigrationCase,
    OperationEntry,
    PublishEntry,
    RegistryCase,
    StoredAutomation,
    ValidationCase,
    ValueCase,
    WaitEntry,
)
from lockstep.cases.load import Found, entries
from lockstep.cases.migration import differences as migration_differences
from lockstep.cases.operations import DELETE, OPERATIONS, CaseRefused, OperatorWorld, operate
from lockstep.cases.registries import ActionWorld
from lockstep.cases.registries import differences as registry_differences
from lockstep.definition.conditions import compile_condition
from lockstep.definition.shape import Shaper
from lockstep.definition.validate import validate
from lockstep.model.errors import RenderError
from lockstep.model.texts import described, path_text
from lockstep.model.types import Catalog
from lockstep.render import Renderer
from lockstep_schemas.api import RunDetail
from lockstep_schemas.base import Json


class World(ApiWorld, ActionWorld, OperatorWorld, Protocol):
    """A whole engine, to be used by one case after the other."""

    async def begin(
        self, stubs: Mapping[str, Json], instances: int, starts_at: datetime = STARTS_AT
    ) -> None:
        """Forget the case before; have so many workers, these stubs, a clock that begins then."""
        ...

    async def abandon(self) -> None:
        """Give up the engines of a case that went wrong: the next one has new ones."""
        ...

    async def publish(self, entry: PublishEntry, name: str) -> None:
        """Publish an event; `name` tells it from the others of the case."""
        ...


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a case."""

    id: str
    group: str
    passed: bool
    skipped: bool = False
    reason: str | None = None
    what: str = ""
    seconds: float = 0.0
    differences: list[str] = []
    runs: list[RunDetail] = []
    reached: Mapping[bytes, Set[Way]] = {}  # by the key of the definition


FEATURES = frozenset(
    {
        "automation.log",
        "artifact-reference-check",
        "concurrency_scope",
        "numeric_state",
        "time",
        "window",
        "for",
        "trigger.actor",
        "automation.cron",
        "automation.interval",
        "automation.template",
    }
)
LIMIT_SECONDS = 120.0  # a case takes a second at most, on a busy machine ten times that


async def run(found: Found, world: World, catalog: Catalog, renderer: Renderer) -> Result:
    """Run one case, as often as it says."""
    began = time.monotonic()
    case = found.case
    skipped, reason = False, None
    faults: list[str] = []
    runs: Sequence[RunDetail] = []
    reached: dict[bytes, set[Way]] = {}
    try:
        match case:
            case ValueCase():
                faults = list(_value(case, renderer))
            case ValidationCase():
                reason = _unknown_feature(case.requires)
                skipped = reason is not None
                faults = [] if skipped else list(_validation(case, catalog, renderer))
            case ApiCase():
                await world.begin({}, 1)
                reason = _unknown_feature(case.requires) or missing(case, world.endpoints)
                skipped = reason is not None
                if not skipped:
                    async with asyncio.timeout(LIMIT_SECONDS):
                        faults = await api_differences(case, world)
            case RegistryCase():
                async with asyncio.timeout(LIMIT_SECONDS):
                    faults = await registry_differences(case, world)
            case MigrationCase():
                async with asyncio.timeout(LIMIT_SECONDS):
                    faults = await migration_differences(case, world, renderer)
            case EventCase():
                reason = _cannot(case)
                skipped = reason is not None
                if not skipped:
                    async with asyncio.timeout(LIMIT_SECONDS * case.repeat):
                        faults, runs = await _events(case, found, world, reached)
    except Exception as error:  # noqa: BLE001 - it turns the case red, and says why
        await world.abandon()
        faults = [_went_wrong(error, case)]
    return Result(
        id=case.id,
        group=found.group,
        passed=not faults and not skipped,
        skipped=skipped,
        reason=reason if skipped else ("; ".join(faults) or None),
        what=case.what,
        seconds=round(time.monotonic() - began, 4),
        differences=faults,
        runs=list(runs) if faults else [],
        reached=reached,
    )


def _went_wrong(error: Exception, case: Case) -> str:
    if isinstance(error, TimeoutError):
        return f"the case did not end within {LIMIT_SECONDS * getattr(case, 'repeat', 1):g} s"
    return f"the engine or the runner failed: {described(error)}"


def _unknown_feature(requires: Sequence[str]) -> str | None:
    unknown = [word for word in requires if word not in FEATURES]
    return f"requires {', '.join(unknown)}, which this version does not have" if unknown else None


def _cannot(case: EventCase) -> str | None:
    """Say why this version cannot run a case, if it cannot."""
    reason = _unknown_feature(case.requires)
    if reason:
        return reason
    for entry in _flat(entries(case)):
        if isinstance(entry, OperationEntry) and entry.op not in OPERATIONS:
            return f"the entry `op: {entry.op}` is not supported by this version"
    return None


def kills(case: Case) -> bool:
    """Say whether a case kills its worker: then it must be a process of its own."""
    return isinstance(case, EventCase) and any(
        isinstance(entry, PublishEntry) and entry.crash_after is not None
        for entry in _flat(entries(case))
    )


def _flat(some: Sequence[Entry]) -> Iterator[PublishEntry | WaitEntry | OperationEntry]:
    for entry in some:
        if isinstance(entry, Concurrent):
            yield from entry.concurrent
        else:
            yield entry


def _value(case: ValueCase, renderer: Renderer) -> Iterator[str]:
    scope = {**case.context, **case.scope}
    try:
        if case.template is not UNSET:
            found: Json = {"value": renderer.template(case.template).render(scope)}
        elif case.expression is not UNSET:
            found = {"value": renderer.expression(case.expression).evaluate(scope)}
        else:
            found = _condition(case, scope, renderer)
    except RenderError:
        found = {"error": True}
    wanted = case.expect
    options = wanted.get("any_of", [wanted])
    if not any(_is_like(option, found) for option in options):
        yield f"expected {wanted}, got {found}"


def _is_like(wanted: Json, found: Json) -> bool:
    if wanted == "error":
        return "error" in found
    same_type = type(wanted.get("value")) is type(found.get("value"))
    return bool(wanted == found) and same_type


def _condition(case: ValueCase, scope: Mapping[str, Json], renderer: Renderer) -> Json:
    shaper = Shaper()
    condition = shaper.condition(case.condition, (), 0)
    if shaper.issues:
        return {"error": True}
    now = datetime.fromisoformat(case.now)
    return {"value": compile_condition(condition, renderer).holds(scope, now)}


def _validation(case: ValidationCase, catalog: Catalog, renderer: Renderer) -> Iterator[str]:
    checked = validate(case.definition, catalog, renderer)
    told = [f"{path_text(one.path) or 'definition'}: {one.message}" for one in checked.errors]
    got = "; ".join(told) or "no issue"
    if bool(told) == case.expect.valid:
        yield f"expected valid to be {str(case.expect.valid).lower()}, got {got}"
    paths = [".".join(map(str, one.path)) for one in checked.errors]
    met = set()
    for wanted in case.expect.issues:
        path = re.sub(r"\[(\d+)\]", r".\1", wanted.path)  # both spellings are understood
        fits = [
            index
            for index, one in enumerate(paths)
            if wanted.contains in checked.errors[index].message
            and (one == path or (wanted.match == "prefix" and _is_below(one, path)))
        ]
        met |= set(fits)
        if not fits:
            about = f" with {wanted.contains!r}" if wanted.contains else ""
            where = re.sub(r"\.(\d+)\b", r"[\1]", path)
            yield f"expected an issue at {where} ({wanted.match}){about}, got {got}"
    if case.expect.only:
        extra = [one for index, one in enumerate(told) if index not in met]
        if extra:
            yield f"expected no further issues, got {'; '.join(extra)}"


def _is_below(path: str, above: str) -> bool:
    return not above or path.startswith(above + ".")


async def _events(
    case: EventCase, found: Found, world: World, reached: dict[bytes, set[Way]]
) -> tuple[list[str], Sequence[RunDetail]]:
    for number in range(case.repeat):
        faults, runs = await _once(case, found, world, reached)
        if faults:
            again = [f"in repetition {number + 1}: {one}" for one in faults]
            return (again if case.repeat > 1 else faults), runs
    return [], []


async def _once(
    case: EventCase, found: Found, world: World, reached: dict[bytes, set[Way]]
) -> tuple[list[str], Sequence[RunDetail]]:
    starts_at = STARTS_AT if case.starts_at is UNSET else case.starts_at
    await world.begin(case.stubs, case.instances, starts_at)
    faults: list[str] = []
    checkpoints = [] if case.expect.checkpoints is UNSET else case.expect.checkpoints
    given: Json = None
    try:
        for automation in _automations(case, found):
            given = automation.definition
            await world.store(automation)
        for index, entry in enumerate(entries(case)):
            given = entry.definition if isinstance(entry, OperationEntry) else None
            if isinstance(entry, OperationEntry) and entry.op == DELETE:
                _note(await world.seen(), reached)  # what is deleted takes its runs with it
            await _perform(entry, world, str(index))
            for checkpoint in checkpoints:
                if checkpoint.after == index:
                    seen = await world.seen()
                    faults += [f"after {index}: {one}" for one in differences(checkpoint, seen)]
    except CaseRefused as refused:
        if case.or_rejected_at_save:
            return [], []
        return found.told(given, refused.issues) or [str(refused)], []
    if case.settle_s:
        await world.advance(case.settle_s)
    seen = await world.seen()
    _note(seen, reached)
    faults += differences(_without_checkpoints(case.expect), seen)
    return faults, seen.runs


def _note(seen: Seen, reached: dict[bytes, set[Way]]) -> None:
    for key, some in of_runs(seen).items():
        reached.setdefault(key, set()).update(some)


def _without_checkpoints(expect: Expect) -> Expect:
    return msgspec.structs.replace(expect, checkpoints=UNSET)


def _automations(case: EventCase, found: Found) -> list[StoredAutomation]:
    """Give what is stored before the first entry, under the names that files give."""
    some = case.automations
    if case.automation is not UNSET:
        status = case.automation_status
        some = [StoredAutomation(id="auto-1", definition=case.automation, status=status)]
    return [
        one if one.name else msgspec.structs.replace(one, name=found.name_of(one.definition))
        for one in some
    ]


async def _perform(entry: Entry, world: World, name: str) -> None:
    """Do one entry, and wait until the engine is idle."""
    if isinstance(entry, Concurrent):
        async with asyncio.TaskGroup() as group:
            for number, one in enumerate(entry.concurrent):
                group.create_task(_do(one, world, f"{name}.{number}"))
        await world.advance(0)
        return
    if isinstance(entry, PublishEntry | OperationEntry) and entry.after_s:
        await world.advance(entry.after_s)
    await _do(entry, world, name)
    await world.advance(0)


async def _do(entry: PublishEntry | WaitEntry | OperationEntry, world: World, name: str) -> None:
    match entry:
        case PublishEntry():
            await world.publish(entry, name)
        case WaitEntry():
            await world.advance(entry.wait_s)
        case OperationEntry():
            await operate(entry, world)
