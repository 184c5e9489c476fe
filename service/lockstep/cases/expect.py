"""What a case expects against what is there: differences, in words."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import msgspec
from msgspec import UNSET, UnsetType

from lockstep.cases.format import Expect
from lockstep_schemas.api import RunDetail
from lockstep_schemas.base import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the engine has done so far."""

    runs: Sequence[RunDetail]  # in order of creation, refused ones too
    recorded: Sequence[tuple[str, Json]]  # (run id, value), in order
    consumed: Sequence[JsonObject]
    calls: Sequence[JsonObject]  # {action, config}, of stubs of the case
    action_calls: int
    definitions: Mapping[tuple[str, int], Json]  # of the runs, by automation id and version

    @property
    def started(self) -> list[RunDetail]:
        """The runs that were not refused."""
        return [detail for detail in self.runs if detail.run.status != "skipped"]


def differences(expect: Expect, seen: Seen) -> Iterator[str]:
    """Say what is not as expected; nothing if all is."""
    first = seen.started[0] if seen.started else (seen.runs[0] if seen.runs else None)
    yield from _run(expect, first)
    yield from _recorded(expect, [value for _, value in seen.recorded])
    yield from _counts(expect, seen)
    yield from _artifacts(expect, seen)
    if expect.consumed is not UNSET:
        yield from _same("consumed", expect.consumed, list(seen.consumed))
    if expect.calls is not UNSET:
        yield from _same("calls", expect.calls, list(seen.calls))
    if expect.runs is not UNSET:
        yield from _runs(expect.runs, seen)
    if expect.any_of is not UNSET:
        tried = [list(differences(one, seen)) for one in expect.any_of]
        if all(tried):
            yield "none of any_of holds: " + " | ".join("; ".join(some) for some in tried)


def _run(expect: Expect, detail: RunDetail | None) -> Iterator[str]:
    """Judge what is expected of one run."""
    named = ("status", "error_contains", "error_contains_any", "steps", "waiting_at", "trigger_id")
    if detail is None:
        if any(getattr(expect, name) is not UNSET for name in named):
            yield "there is no run"
        return
    run = detail.run
    for name in ("status", "trigger_id", "trigger_event_id", "context_key"):
        wanted = getattr(expect, name)
        if wanted is not UNSET:
            yield from _same(name, wanted, getattr(run, name))
    error = run.error_message or ""
    if expect.error_contains is not UNSET and expect.error_contains not in error:
        yield f"error: expected one with {expect.error_contains!r}, got {error!r}"
    if expect.error_contains_any is not UNSET and not any(
        part in error for part in expect.error_contains_any
    ):
        yield f"error: expected one of {expect.error_contains_any} in {error!r}"
    yield from _steps(expect, detail)


def _steps(expect: Expect, detail: RunDetail) -> Iterator[str]:
    statuses = {step.action_path: step.status for step in detail.steps}
    if expect.steps is not UNSET:
        for path, status in expect.steps.items():
            if statuses.get(path) != status:
                yield f"step {path}: expected {status}, got {statuses.get(path, 'no step')}"
    if expect.steps_absent is not UNSET:
        for path in expect.steps_absent:
            if path in statuses:
                yield f"step {path}: expected none, got {statuses[path]}"
    if expect.waiting_at is not UNSET:
        waiting = sorted(wait.action_path for wait in detail.waits if wait.action_path)
        yield from _same("waiting_at", sorted(expect.waiting_at), waiting)


def _recorded(expect: Expect, recorded: list[Json]) -> Iterator[str]:
    if expect.recorded is not UNSET:
        yield from _same("recorded", expect.recorded, recorded)
    if expect.recorded_set is not UNSET:
        wanted, found = _bag(expect.recorded_set), _bag(recorded)
        if wanted != found:
            missing, extra = list((wanted - found).elements()), list((found - wanted).elements())
            yield f"recorded_set: missing {missing}, too many {extra}"
    if expect.recorded_before is not UNSET:
        for early, late in expect.recorded_before:
            if early not in recorded or late not in recorded:
                yield f"recorded_before: {early!r} and {late!r} must both be recorded: {recorded}"
            elif recorded.index(early) > recorded.index(late):
                yield f"recorded_before: {early!r} must come before {late!r}: {recorded}"
    if expect.not_recorded is not UNSET:
        for value in expect.not_recorded:
            if value in recorded:
                yield f"not_recorded: {value!r} is there: {recorded}"
    if expect.recorded_count is not UNSET:
        yield from _same("recorded_count", expect.recorded_count, len(recorded))


def _bag(values: Sequence[Json]) -> Counter[bytes]:
    return Counter(msgspec.json.encode(value, order="deterministic") for value in values)


def _counts(expect: Expect, seen: Seen) -> Iterator[str]:
    started = len(seen.started)
    if expect.run_count is not UNSET:
        yield from _same("run_count", expect.run_count, started)
    if expect.run_count_min is not UNSET and started < expect.run_count_min:
        yield f"run_count: expected at least {expect.run_count_min}, got {started}"
    if expect.run_count_max is not UNSET and started > expect.run_count_max:
        yield f"run_count: expected at most {expect.run_count_max}, got {started}"
    if expect.skipped_count is not UNSET:
        yield from _same("skipped_count", expect.skipped_count, len(seen.runs) - started)
    if expect.action_calls is not UNSET:
        yield from _same("action_calls", expect.action_calls, seen.action_calls)


def _artifacts(expect: Expect, seen: Seen) -> Iterator[str]:
    found = [artifact for detail in seen.runs for artifact in detail.artifacts]
    if expect.artifact_count is not UNSET:
        yield from _same("artifact_count", expect.artifact_count, len(found))
    if expect.artifacts is UNSET:
        return
    shown: list[Json] = [
        {**msgspec.to_builtins(artifact), "type": artifact.artifact_type} for artifact in found
    ]
    for wanted in expect.artifacts:
        if not any(is_part(wanted, one) for one in shown):
            yield f"artifacts: none is like {wanted}: {shown}"


def is_part(wanted: Json, found: Json) -> bool:
    """Say whether everything that is wanted is there; objects may have more."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(name in found and is_part(wanted[name], found[name]) for name in wanted)
    return bool(wanted == found)


def _runs(wanted: Sequence[Expect], seen: Seen) -> Iterator[str]:
    started = seen.started
    if len(wanted) != len(started):
        statuses = [detail.run.status for detail in started]
        yield f"runs: expected {len(wanted)}, got {len(started)}: {statuses}"
        return
    for index, (expect, detail) in enumerate(zip(wanted, started, strict=True)):
        own = [(run_id, value) for run_id, value in seen.recorded if run_id == detail.run.id]
        alone = Seen(
            runs=[detail], recorded=own, consumed=[], calls=[], action_calls=0, definitions={}
        )
        for difference in differences(expect, alone):
            yield f"runs[{index}]: {difference}"


def _same(name: str, wanted: Json, found: Json) -> Iterator[str]:
    if isinstance(wanted, list) and isinstance(found, list) and _has_objects([*wanted, *found]):
        for index, (one, other) in enumerate(zip_longest(wanted, found, fillvalue=UNSET)):
            if one != other:
                yield f"{name}[{index}]: expected {_told(one)}, got {_told(other)}"
        return
    # True is no 1 here: a case that says 1 means the number.
    if wanted != found or isinstance(wanted, bool) != isinstance(found, bool):
        yield f"{name}: expected {wanted!r}, got {found!r}"


def _has_objects(values: Sequence[Json]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _told(value: Json | UnsetType) -> str:
    return "nothing" if value is UNSET else json.dumps(value, ensure_ascii=False)
