"""Which actions are never reached, whatever happens in a run."""

from collections.abc import Iterator, Sequence
from typing import Final, Literal, assert_never

from lockstep.definition.tree import Path
from lockstep.model.errors import RenderError
from lockstep.render import Renderer
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
from lockstep_schemas.conditions import And, Condition, Not, NumericState, Or, Time

# How a list always ends before its end: the run with it, or in a parallel only the branch.
End = Literal["stop", "guard"] | None

_RENDERER: Final = Renderer()  # of what has no filters: those of plug-ins need not be known

AFTER_THE_END = "never reached: the action before always ends the run"
NEVER_TRUE = "never reached: its condition is never true"
ALWAYS_TRUE = "never reached: a branch before is always taken"


def unreachable(some: Sequence[Action], path: Path) -> Iterator[tuple[Path, str]]:
    """Give the first action of each list that is never reached, and why."""
    for index, action in enumerate(some):
        if index and _end(some[index - 1]):
            yield (*path, index), AFTER_THE_END
            return
        if action.enabled:
            yield from _inside(action, (*path, index))


def _inside(action: Action, path: Path) -> Iterator[tuple[Path, str]]:
    match action:
        case Choose():
            yield from _branches(action, path)
        case Parallel():
            for index, branch in enumerate(action.parallel):
                if branch.enabled:
                    yield from _inside(branch, (*path, "parallel", index))
        case Repeat():
            place = (*path, "repeat", "sequence")
            if action.repeat.while_ and _holds(action.repeat.while_) is False:
                yield (*place, 0), NEVER_TRUE
            else:
                yield from unreachable(action.repeat.sequence, place)
        case SequenceAction():
            yield from unreachable(action.sequence, (*path, "sequence"))
        case ProviderAction() | Delay() | Variables() | Guard() | Stop() | Wait():
            return
        case _:
            assert_never(action)


def _branches(action: Choose, path: Path) -> Iterator[tuple[Path, str]]:
    is_taken = False
    for index, branch in enumerate(action.choose):
        place: Path = (*path, "choose", index, "sequence")
        if is_taken:
            yield (*place, 0), ALWAYS_TRUE
        elif _holds(branch.when) is False:
            yield (*place, 0), NEVER_TRUE
        else:
            yield from unreachable(branch.sequence, place)
        is_taken = is_taken or _holds(branch.when) is True
    if is_taken and action.else_:
        yield (*path, "else", 0), ALWAYS_TRUE
    elif not is_taken:
        yield from unreachable(action.else_, (*path, "else"))


def _end(action: Action) -> End:
    """Say how an action always ends its list, if it does."""
    if not action.enabled:
        return None
    if action.continue_on_error and not isinstance(action, Stop):
        return None  # what fails before the end that is in it is passed over
    match action:
        case Stop():
            return "stop"
        case Guard():
            return "guard" if _holds(action.condition) is False else None
        case SequenceAction():
            return _end_of(action.sequence)
        case Repeat():
            is_visited = action.repeat.count or action.repeat.until
            return _end_of(action.repeat.sequence) if is_visited else None
        case Parallel():
            return "stop" if "stop" in map(_end, action.parallel) else None
        case Choose():
            return _end_of_branches(action)
        case ProviderAction() | Delay() | Variables() | Wait():
            return None
        case _:
            assert_never(action)


def _end_of(some: Sequence[Action]) -> End:
    return next((end for action in some if (end := _end(action))), None)


def _end_of_branches(action: Choose) -> End:
    ends = list[End]()
    for branch in action.choose:
        if _holds(branch.when) is not False:
            ends.append(_end_of(branch.sequence))
        if _holds(branch.when) is True:
            break
    else:
        ends.append(_end_of(action.else_))
    if None in ends:
        return None
    return "guard" if "guard" in ends else "stop"


def _holds(condition: Condition) -> bool | None:
    """Say what a condition gives that hangs on nothing."""
    match condition:
        case str():
            return _constant(condition)
        case Not():
            inner = _holds(condition.not_)
            return None if inner is None else not inner
        case And():
            return _joined([_holds(one) for one in condition.and_], deciding=False)
        case Or():
            return _joined([_holds(one) for one in condition.or_], deciding=True)
        case NumericState() | Time():
            return None
        case _:
            assert_never(condition)


def _constant(text: str) -> bool | None:
    """Give the truth of an expression without names; filters may look at the clock."""
    try:
        made = None if "|" in text else _RENDERER.expression(text)
        return None if made is None or made.references else made.holds({})
    except RenderError:
        return None


def _joined(operands: Sequence[bool | None], *, deciding: bool) -> bool | None:
    """Join operands; an error in one that comes before the deciding one decides otherwise."""
    for one in operands:
        if one is None or one is deciding:
            return one
    return not deciding
