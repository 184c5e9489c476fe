"""Which actions and branches of the automations of some cases no case has reached."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final, assert_never

import msgspec

from lockstep.cases.expect import Seen
from lockstep.cases.origins import Origin, key_of
from lockstep.definition.faults import Fault
from lockstep.definition.stored import DefinitionRefused, parse
from lockstep.definition.tree import Path, actions
from lockstep_schemas.actions import (
    Action,
    Choose,
    Delay,
    Guard,
    Parallel,
    ProviderAction,
    Repeat,
    Stop,
    Variables,
    Wait,
)
from lockstep_schemas.actions import Sequence as SequenceAction
from lockstep_schemas.api import Issue, Step
from lockstep_schemas.base import Json

ACTION: Final = "the action was never reached"
BRANCH: Final = "the branch was never taken"
NO_BRANCH: Final = "it never happened that no branch held"
BODY: Final = "the loop was never entered"
REFUSAL: Final = "it never happened that the condition did not hold"
FAILURE: Final = "it never failed, which would be passed over"
TIMEOUT: Final = "it never timed out, which would be passed over"
# What the step of a wait gives that went on without its event.
TIMED_OUT: Final = {"completed": False}


class Way(msgspec.Struct, frozen=True):
    """A way that a run can take: where it is, and what is said if none took it."""

    path: Path
    what: str


class Covered(msgspec.Struct, frozen=True):
    """An automation: where it stands, how many ways there are, and those that no case took."""

    origin: Origin
    ways: int
    missing: Sequence[Way]

    @property
    def reached(self) -> int:
        """How many ways some case took."""
        return self.ways - len(self.missing)

    @property
    def faults(self) -> list[Fault]:
        """Say of each that was not taken where it stands."""
        issues = [Issue(path=list(way.path), message=way.what) for way in self.missing]
        return [self.origin.document.fault(issue) for issue in issues]


def of_runs(seen: Seen) -> dict[bytes, set[Way]]:
    """Give the ways that the runs of a case took, by the key of their definition."""
    found: dict[bytes, set[Way]] = {}
    for detail in seen.runs:
        definition = seen.definitions.get((detail.run.automation_id, detail.run.version))
        if definition is not None:
            key = key_of(definition)
            found[key] = found.get(key, set()) | set(_taken(detail.steps))
    return found


def report(
    cases: Iterable[tuple[Iterable[Origin], Mapping[bytes, Set[Way]]]],
) -> list[Covered]:
    """Join what cases have reached of the automations they name, in their order."""
    origins: dict[bytes, Origin] = {}
    reached: dict[bytes, set[Way]] = {}
    for named, taken in cases:
        for origin in named:
            key = key_of(origin.document.definition)
            if key not in origins or (origin.named_at and not origins[key].named_at):
                origins[key] = origin  # rather its own file than a copy in a case
        for key, some in taken.items():
            reached.setdefault(key, set()).update(some)
    found = []
    for key, origin in origins.items():
        every = list(ways(origin.document.definition))
        missing = [way for way in every if way not in reached.get(key, ())]
        if every:
            found.append(Covered(origin, len(every), missing))
    return found


def ways(definition: Json) -> Iterator[Way]:
    """Give all ways through an automation, in document order; none of one that is refused."""
    try:
        made = parse(definition)
    except DefinitionRefused:
        return
    disabled: Path | None = None
    for path, action in actions(made.actions, ("actions",)):
        if disabled is not None and path[: len(disabled)] == disabled:
            continue  # its content is not looked at
        if not action.enabled:
            disabled = path
            continue
        yield Way(path, ACTION)
        yield from _inside(action, path)
        if action.continue_on_error and not isinstance(action, Guard | Stop):
            yield Way(path, FAILURE)  # a guard passes over what it refuses; a stop is no failure


def _inside(action: Action, path: Path) -> Iterator[Way]:
    """Give the ways that part at an action, beside those of a failure."""
    match action:
        case Choose():
            for index in range(len(action.choose)):
                yield Way((*path, "choose", index), BRANCH)
            yield Way((*path, "else"), BRANCH if action.else_ else NO_BRANCH)
        case Repeat():
            yield Way((*path, "repeat"), BODY)
        case Guard():
            yield Way(path, REFUSAL)
        case Wait():
            if action.wait_for_trigger.continue_on_timeout:
                yield Way(path, TIMEOUT)
        case ProviderAction() | Parallel() | SequenceAction() | Delay() | Variables() | Stop():
            return
        case _:
            assert_never(action)


def _taken(steps: Sequence[Step]) -> Iterator[Way]:
    """Give the ways that the steps of one run say were taken, and more that are none."""
    decided = {
        step.action_path[: found.start()]
        for step in steps
        for found in re.finditer(r"\.(choose|else)\[", step.action_path)
    }
    for step in steps:
        path = _in_definition(step.action_path)
        yield Way(path, ACTION)
        for end in range(2, len(path)):
            if path[end - 1] in {"else", "repeat"}:
                yield Way(path[:end], BODY if path[end - 1] == "repeat" else BRANCH)
            elif path[end - 2] == "choose":
                yield Way(path[:end], BRANCH)
        if step.status == "failed":
            yield Way(path, FAILURE)
        elif step.status == "skipped":
            yield Way(path, REFUSAL)
        elif step.status == "success":
            if step.action_path not in decided:
                yield Way((*path, "else"), NO_BRANCH)
            if step.result == TIMED_OUT:
                yield Way(path, TIMEOUT)


def _in_definition(step_path: str) -> Path:
    """Give where in the definition a step is: without iterations, and the list of a branch."""
    path = list[str | int]()
    for name, number in re.findall(r"([a-z_]+)|\[(\d+)\]", step_path):
        is_iteration = number and path[-1] == "repeat"
        is_list_of_branch = number and isinstance(path[-1], int)
        if not is_iteration and not is_list_of_branch:
            path.append(name or int(number))
    return tuple(path)
