"""One transaction for a batch of events, and who opens it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.automations import Automation
from lockstep.model.child_runs import Child
from lockstep.model.events import Event, Poison
from lockstep.model.matches import TriggerMatch
from lockstep.model.messages import Message
from lockstep.model.new_runs import NewRun, RunToRetry
from lockstep.model.parked import ParkedEvent, Row
from lockstep.model.timers import StoredTimer
from lockstep.model.verdicts import Verdict
from lockstep.model.waits import Awaited
from lockstep.ports.cancel import CancelTransaction
from lockstep.ports.gate import GateTransaction
from lockstep.ports.launch import LaunchTransaction
from lockstep.ports.matching import MatchingTransaction
from lockstep.ports.wake import LookBackTransaction, LookingSource, WakeTransaction


class Transaction(
    GateTransaction,
    MatchingTransaction,
    LaunchTransaction,
    WakeTransaction,
    LookBackTransaction,
    CancelTransaction,
    Protocol,
):
    """One transaction: all of it is committed, or nothing.

    Locks are taken in this order: topics, receipts by key, keys of queues, automations, runs by id,
    waits.
    """

    async def take_receipts(self, events: Sequence[Event]) -> set[str]:
        """Note deliveries; give those that are new. An event seen before is not among them."""
        ...

    async def revision(self) -> int:
        """The revision of the automations that these events must be judged by."""
        ...

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """The run that a step has started, if it has."""
        ...

    async def owns_setup(self, automation_id: str, trigger_id: str) -> bool:
        """Whether this worker runs the set-up of a trigger; it does until the end."""
        ...

    async def park_timers(self, refused: Sequence[Row]) -> None:
        """Put timers aside that cannot be judged here."""
        ...

    async def park_events(self, events: Sequence[ParkedEvent]) -> None:
        """Keep events for automations and waits that cannot be asked here, each once."""
        ...

    async def drop_parked_events(self, ids: Sequence[UUID]) -> Sequence[UUID]:
        """Take away parked events that are judged; give those that were there."""
        ...

    async def take_holds(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Take holds that are due, each once; they are locked."""
        ...

    async def move_schedule(
        self, timer_id: UUID, due_at: datetime, following: datetime | None, value: bool | None
    ) -> bool:
        """Set the next tick, or end the schedule; say whether nobody has done so before."""
        ...


class Transactions(LookingSource, Protocol):
    """Opens transactions, and reads what is judged before one.

    Reading raises Unavailable where the store is away.
    """

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Begin; commit at the end, or roll back where the block raises.

        Raises:
            Unavailable: Nothing is committed, or it is in doubt: the events must come again.
            DataRefused: A value of one of the events cannot be stored.
        """
        ...

    async def awaited(
        self, events: Sequence[Event], after: Awaited | None = None
    ) -> Sequence[Awaited]:
        """See `ports.wake.WakeTransaction`."""
        ...

    async def timers(self, ids: Sequence[UUID]) -> tuple[Sequence[StoredTimer], Sequence[Row]]:
        """Timers of triggers."""
        ...

    async def run_to_retry(self, run_id: UUID) -> RunToRetry | None:
        """A run that is to be retried."""
        ...


class EventPipeline(Protocol):
    """Takes events from bytes to runs."""

    async def receive(self, batch: Sequence[Message]) -> Sequence[tuple[Message, Verdict | Poison]]:
        """Take what is there from bytes to runs, and say what becomes of each message.

        Raises:
            Unavailable: The store is away: nothing is acknowledged, all of it comes again.
        """
        ...


class ByHand(Protocol):
    """Starts runs without an event of the stream."""

    async def start(
        self, automation_id: str, make: Callable[[Automation | None], TriggerMatch]
    ) -> Sequence[NewRun]:
        """Start a run without an event: filter, window, hold and conditions are passed over.

        `make` is given the automation as it is in force, None if it is disabled or gone.
        """
        ...

    async def retry(
        self, run_id: UUID, make: Callable[[RunToRetry | None, Automation | None], TriggerMatch]
    ) -> Sequence[NewRun]:
        """Start a run for the event of another one.

        `make` is given that run, None if there is none, and its automation as it is in force.
        """
        ...
