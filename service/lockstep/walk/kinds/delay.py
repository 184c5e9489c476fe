"""`delay`: let time pass, as data."""

import math
from datetime import timedelta
from typing import Final

from lockstep.model.errors import RenderError
from lockstep.model.program import Delay
from lockstep.model.run_events import iso
from lockstep.walk.frames import LeafFrame
from lockstep.walk.outcome import Failed, Ok, Outcome, Suspended
from lockstep.walk.step import Step

LONGEST_SECONDS: Final = 2_592_000  # 30 days, as the schema says of `delay.template`
SHOWN: Final = 80  # characters of a text that is no number: enough to know it again


def perform(action: Delay, step: Step) -> Outcome:
    """Sleep until the due time, which is counted from the first visit."""
    if isinstance(step.frame, LeafFrame):
        return Ok() if step.woken(step.frame) else Suspended()
    try:
        seconds = _seconds(action, step)
    except (RenderError, ValueError) as error:
        return Failed(f"delay: {error}")
    if action.template is not None:
        step.note("config", {"seconds": seconds})
    if seconds == 0:
        return Ok()
    due_at = step.row.started_at + timedelta(seconds=seconds)
    return step.sleep("delay", f"delay until {iso(due_at)}", due_at)


def _seconds(action: Delay, step: Step) -> float:
    if action.template is None:
        return float(action.seconds or 0)
    value = action.template.evaluate(step.context())
    if isinstance(value, str):
        text = value
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"expected seconds, got the text {text[:SHOWN]!r}") from None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"expected seconds, got {type(value).__name__}")  # noqa: TRY004
    if not math.isfinite(value) or not 0 <= value <= LONGEST_SECONDS:
        raise ValueError(f"expected 0 to {LONGEST_SECONDS} seconds, got {value:g}")
    return float(value)
