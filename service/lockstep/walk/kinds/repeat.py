"""`repeat`: a list of actions, again and again."""

from collections.abc import Mapping
from typing import cast

from lockstep.model.errors import RenderError
from lockstep.model.program import Expression, Repeat
from lockstep.walk.bounds import ValueTooLarge
from lockstep.walk.frames import ListFrame, RepeatFrame, ScopeNames
from lockstep.walk.outcome import Completed, Failed, Ok, Outcome, of_list
from lockstep.walk.scope import Scope
from lockstep.walk.step import Step
from lockstep_schemas.base import Json


async def perform(action: Repeat, step: Step) -> Outcome:
    """Walk the body once for each iteration, from the one that the frame stands at."""
    total: int | None = None
    if action.how == "for_each":
        failure = _list(action, step)
        if failure:
            return failure
        total = len(step.walk.items[step.row.seq])
    elif action.how == "count":
        total = action.count
    frame = step.open(lambda seq, at: RepeatFrame(seq=seq, began_at=at))
    while True:
        if frame.body is None:
            if not _goes_on(action, step, frame.iteration, total):
                return Ok()
            frame.names, frame.body = ScopeNames(), ListFrame()
        loop = _loop(action, step, frame.iteration, total)
        scope = Scope(frame.names, step.place.scope, "loop")
        path = f".repeat[{frame.iteration}].sequence"
        end = await step.inside(action.sequence, frame.body, path, scope, loop)
        if not isinstance(end, Completed):
            return of_list(end)
        ended = action.how == "until" and _until(action, step, scope, loop)
        # No await since the body has ended: a checkpoint sees this iteration or the next.
        frame.iteration, frame.body, frame.names = frame.iteration + 1, None, ScopeNames()
        if ended:
            return Ok()


def _list(action: Repeat, step: Step) -> Failed | None:
    """Evaluate the list of a for_each at the first visit, and keep it."""
    if step.frame is not None:
        return None
    try:
        items = cast("Expression", action.expression).evaluate(step.context())
    except RenderError as error:
        return Failed(f"repeat.for_each: {error}")
    if not isinstance(items, list):
        return Failed(f"repeat.for_each: expected a list, got {_name(items)}")
    try:
        step.keep_items(items)
    except ValueTooLarge as error:
        return Failed(str(error))
    return None


def _goes_on(action: Repeat, step: Step, iteration: int, total: int | None) -> bool:
    if total is not None:
        return iteration < total
    if action.how == "while" and not _while(action, step, iteration):
        return False
    if iteration >= action.count:
        step.warn(f"stopped after {action.count} iterations (max_iterations)")
        return False
    return True


def _while(action: Repeat, step: Step, iteration: int) -> bool:
    """Test before an iteration, with the index of the coming one; an error counts as false."""
    loop, expression = _loop(action, step, iteration, None), cast("Expression", action.expression)
    try:
        holds = expression.holds(step.context(repeat=loop))
    except RenderError as error:
        step.warn(f"repeat.while counts as false: {error}")
        return False
    if not holds:  # what the loop ended by, once
        step.note_decided("repeat.while", expression.explain, holds=False, repeat=loop)
    return holds


def _until(action: Repeat, step: Step, scope: Scope, loop: Mapping[str, object]) -> bool:
    """Test after an iteration, in its scope; an error counts as false."""
    seen = {"repeat": loop, "variables": scope.variables(), "artifacts": scope.artifacts()}
    expression = cast("Expression", action.expression)
    try:
        holds = expression.holds(step.context(**seen))
    except RenderError as error:
        step.warn(f"repeat.until counts as false: {error}")
        return False
    if holds:  # what the loop ended by, once
        step.note_decided("repeat.until", expression.explain, holds=True, **seen)
    return holds


def _loop(action: Repeat, step: Step, iteration: int, total: int | None) -> dict[str, object]:
    """Build what `repeat` is in the body."""
    loop: dict[str, object] = {"index": iteration, "first": iteration == 0}
    if total is not None:
        loop["last"] = iteration == total - 1
    if action.how == "for_each":
        loop["item"] = step.walk.items[step.row.seq][iteration]
    return loop


def _name(value: Json) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "an object")
