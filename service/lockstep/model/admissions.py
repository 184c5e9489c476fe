"""What the gate decides, and what it looks at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from lockstep.model.matches import TriggerMatch

REPLACED: Final = "a newer event restarted the automation"  # reason of a run that is cancelled


Outcome: TypeAlias = Literal["start", "queue", "refuse", "replace", "supersede"]


class Admission(msgspec.Struct):
    """What the gate decided: a run, a place in the queue, or a refusal with its reason."""

    match: TriggerMatch
    outcome: Outcome = "start"
    reason: str | None = None
    queue_key: str | None = None  # of a queue


class Active(msgspec.Struct, frozen=True):
    """An active run, as modes look at it."""

    id: UUID
    automation_id: str
    context_key: str | None
    rank: tuple[datetime, int]


class Counted(msgspec.Struct, frozen=True):
    """Whose active runs a mode looks at: those of automations, and those of single context keys."""

    whole: Sequence[str]
    keys: Sequence[tuple[str, str | None]]
