"""What went into steps and came out of them, below the tree of a run."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from lockstep.cli.terminal import output, values
from lockstep.cli.terminal.tree import step_text
from lockstep.model.errors import EngineError
from lockstep_schemas.api import Step, StepIo
from lockstep_schemas.base import Json

_FULL: Final = {
    "step": "there was more: of a step so much is kept as `engine.keep_io_bytes` says",
    "run": "of this run no more is kept, but of steps that fail: see `engine.keep_io_bytes`",
}


class NoSuchStep(EngineError):
    """The run has no step of this path or id; the message names those that are near."""

    code = "run.no_such_step"
    category = "not_found"
    advice = "Take an id, or a path with what stands above it in the tree of `lockstep runs show`."


def steps_at(steps: Sequence[Step], wanted: str) -> Sequence[Step]:
    """Find the visits of an action, by its path in the run or the id that its author gave it.

    Raises:
        NoSuchStep: It was not visited.
    """
    found = [one for one in steps if wanted in {one.action_path, one.action_id}]
    if not found:
        known = [one.action_path for one in steps]
        known += [one.action_id for one in steps if one.action_id is not None]
        near = get_close_matches(wanted, list(dict.fromkeys(known)), 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise NoSuchStep(f"the run has not come to a step '{wanted}'{hint}")
    return found


def draw(steps: Sequence[Step]) -> None:
    """Write what is kept of steps, one below the other."""
    for step in steps:
        output.show_line("")
        output.show_line(step_text(step, step.action_path))
        for one in step.io:
            _draw(one)
        result = step.result if isinstance(step.result, dict) else {}
        for name, value in result.items():
            if name != "warnings":  # they stand beside the step
                values.draw(name.replace("_", " "), value)


def _draw(one: StepIo) -> None:
    if one.what == "full":
        values.draw("…", None, _FULL.get(one.name or "", ""), has_value=False)
        return
    said = [f"attempt {one.attempt}"] if one.attempt is not None else []
    said += [f"cut: it had {one.bytes:,} bytes"] if one.bytes is not None else []
    if one.what == "decided":
        verdict = "holds" if one.holds else "does not hold"
        said = [f"{one.name} {verdict}", *said]
        values.draw(one.what, _decided(one.value), ", ".join(said))
        return
    values.draw(one.what, one.value, ", ".join(said))


def _decided(value: Json) -> Json:
    """Write what decided as people do; as it is, where it is cut."""
    from lockstep.model.program import Decider

    try:
        return "; ".join(map(str, msgspec.convert(value, tuple[Decider, ...])))
    except msgspec.ValidationError:
        return value
