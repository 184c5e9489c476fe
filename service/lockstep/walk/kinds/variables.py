"""`variables`: set variables; the names of one block do not see each other."""

from lockstep.model.errors import RenderError
from lockstep.model.program import Assign
from lockstep.walk.fill import fill
from lockstep.walk.outcome import Failed, Ok, Outcome
from lockstep.walk.scope import ScopeTooLarge
from lockstep.walk.step import Step


def perform(action: Assign, step: Step) -> Outcome:
    """Render all of the block against the scope before it; an error sets nothing."""
    context = step.context()
    values = {}
    for name, slot in action.variables.items():
        try:
            values[name] = fill(slot, context)
        except RenderError as error:
            step.note("assigned", values, has_failed=True)  # as far as it came
            return Failed(f"variables.{name}: {error}")
    step.note("assigned", values)
    scope = step.place.scope
    try:
        for name, value in values.items():
            scope.assign(name, value)
    except ScopeTooLarge as error:
        return Failed(str(error))
    return Ok()
