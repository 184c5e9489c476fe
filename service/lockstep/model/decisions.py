"""How far an event came: what has passed a filter, and why another went no further."""

from typing import Literal, TypeAlias

import msgspec

from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch

Stage: TypeAlias = Literal["filter", "cancel_filter", "window", "for", "conditions", "wait"]


class Decision(msgspec.Struct, frozen=True):
    """Why an event went no further at a stage, for `lockstep why`; ops hear of an error too."""

    event: Event
    automation_id: str
    trigger_id: str
    stage: Stage
    detail: str
    match: TriggerMatch | None = None  # where it could not be judged


class Candidate(msgspec.Struct, frozen=True):
    """A match that has passed its filter, and may have to pass a window and a hold."""

    match: TriggerMatch
    partition: bytes = b""  # what a window counts
    cancels: bool = False  # it passed the cancel filter of a hold
    hold_seconds: float = 0.0
    unmet: Decision | None = None  # what refuses it once its window lets it through: a condition
