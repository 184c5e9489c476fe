"""What every way to a run passes through, and what it decides on its way."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from lockstep.matching import Index
from lockstep.model.decisions import Decision
from lockstep.model.matches import TriggerMatch
from lockstep.model.parked import ParkedEvent
from lockstep.model.program import Expression
from lockstep.model.timers import Hold
from lockstep.model.waits import Due, Rank, Satisfied
from lockstep.ports.cancel import Terminator
from lockstep.ports.clock import Clock
from lockstep.ports.listeners import Listener
from lockstep.ports.pace import Pace
from lockstep.ports.pipeline import Transactions
from lockstep.ports.places import Places
from lockstep.ports.unhandled import Expiring


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParts:
    """What the ways to a run have in common."""

    transactions: Transactions
    index: Index
    places: Places
    terminator: Terminator
    compile_filter: Callable[[str], Expression]
    listener: Listener
    clock: Clock
    expiring: Expiring
    pace: Pace
    decisions_are_kept: Callable[[], bool]
    prefix: str


@dataclass(slots=True)
class Decided:
    """What comes out of the stages before the mode, in one transaction."""

    matches: Sequence[TriggerMatch] = ()
    satisfied: Sequence[Satisfied] = ()
    judged: list[Decision] = field(default_factory=list)
    armed: Sequence[Hold] = ()
    disarmed: Sequence[UUID] = ()
    ticking: Sequence[Due] = ()  # the next ticks of schedules
    parked: Sequence[ParkedEvent] = ()  # what others have to be asked
    # Armed waits that look back, and the oldest event that has come for each.
    looking: Mapping[UUID, Rank] = field(default_factory=dict)
    incomplete: list[UUID] = field(default_factory=list)  # waits for which events were dropped
