"""Why an event went no further, or what it woke: for `lockstep why`."""

from typing import Literal, TypeAlias

import msgspec

from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch

Stage: TypeAlias = Literal["filter", "cancel_filter", "window", "for", "conditions", "wait"]


class Decision(msgspec.Struct, frozen=True):
    """Why an event went no further at a stage; with an error, ops hear of it too."""

    event: Event
    automation_id: str
    trigger_id: str
    stage: Stage
    detail: str
    match: TriggerMatch | None = None  # where it could not be judged
