"""What the stations need of the outside, as protocols: the bus, the clock.

The real ones are in `bus` and `store`; `app` hands them out.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from lockstep.model.catalog import StoredType
from lockstep.model.http import HttpRequest, HttpResponse
from lockstep.model.matches import (
    Active,
    Birth,
    Counter,
    Hold,
    Holder,
    Moments,
    Past,
    Revival,
    StoredTimer,
)
from lockstep.model.messages import Message, Reply
from lockstep.model.runs import (
    Awaited,
    Checkpoint,
    Child,
    ChildWanted,
    Consumed,
    Ended,
    Ending,
    Event,
    EventRow,
    Firing,
    Head,
    RunState,
    StepKey,
    Stored,
    Woken,
)
from lockstep.model.verdicts import Verdict
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunStatus


class Report(Protocol):
    """Publishes committed events."""

    def offer(self, rows: Sequence[EventRow]) -> None:
        """Take events that this worker has committed; those of a topic in order of their seq."""
        ...

    async def take_over(self, topics: Sequence[str]) -> None:
        """Publish all that is stored of topics, whoever has committed it."""
        ...


class Source(Protocol):
    """A durable pull consumer group: batches of messages, and what becomes of each."""

    async def batch(self, limit: int) -> Sequence[Message]:
        """Wait for at least one message; return all that are there, at most `limit`."""
        ...

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """Acknowledge, refuse for a while, or terminate."""
        ...

    def pause(self) -> None:
        """Ask the server for no more messages."""
        ...

    def resume(self) -> None:
        """Ask for messages again."""
        ...


class Publisher(Protocol):
    """Publishes to streams and awaits the server's acknowledgement."""

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Store one message.

        Returns:
            False when the stream already held a message of this id (`Nats-Msg-Id`).

        Raises:
            Unavailable: No acknowledgement within the time limit; publish again with the same id.
        """
        ...


class Asker(Protocol):
    """Asks services on the bus."""

    async def ask(
        self, subject: str, body: bytes, headers: Mapping[str, str], seconds: float
    ) -> Reply:
        """Publish a request and wait for the first answer.

        Raises:
            NobodyAnswers: Nobody listens on the subject now.
            Unavailable: No answer within `seconds`, or the connection broke; it may have arrived.
            EngineError: It cannot be sent: too large, or a subject or header that is none.
        """
        ...


class Children(Protocol):
    """Starts runs that steps of other runs ask for."""

    async def start(self, wanted: ChildWanted) -> Child:
        """Start it, once for each step; give the one that is there already.

        Raises:
            ChildRefused: There is no such automation, or it is disabled, or the payload is wrong.
            Unavailable: The store is away.
        """
        ...


class Secrets(Protocol):
    """Resolves secrets, each time anew: they change, and nothing keeps them."""

    async def resolve(
        self, names: Sequence[str], run_id: str, automation_id: str
    ) -> Mapping[str, str]:
        """Give the values; from now on they are masked in all that this process writes.

        Raises:
            SecretRefused: One is not known, or cannot be asked for now; the message names it.
        """
        ...


class HttpCaller(Protocol):
    """Calls HTTP servers, as far as the settings allow."""

    async def call(self, request: HttpRequest) -> HttpResponse:
        """Send a request and read the whole response, whatever its status.

        Raises:
            Unavailable: No response, or not in time; it may have arrived.
            EngineError: It may not be sent, cannot be sent, or the response is too large.
        """
        ...


class Transaction(Protocol):
    """One transaction for a batch of events: all of it is committed, or nothing.

    Locks are taken in this order: receipts by key, gates by key, automations, runs by id, waits.
    """

    async def take_receipts(self, events: Sequence[Event]) -> set[str]:
        """Note deliveries; give those that are new. An event seen before is not among them."""
        ...

    async def revision(self) -> int:
        """The revision of the automations that these events must be judged by."""
        ...

    async def lock_gates(self, keys: Sequence[str]) -> None:
        """Hold gates to the end of the transaction; `keys` are sorted."""
        ...

    async def hold_automations(self, ids: Sequence[str]) -> Mapping[str, bool]:
        """Keep automations from being deleted: id to enabled; a deleted one is absent."""
        ...

    async def count_active(self, ids: Sequence[str]) -> Mapping[tuple[str, str | None], int]:
        """Active runs by (automation, context key)."""
        ...

    async def active_runs(self, ids: Sequence[str]) -> Sequence[Active]:
        """The active runs of automations, with their rank."""
        ...

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """The run that a step has started, if it has."""
        ...

    async def hold_source(self, automation_id: str, trigger_id: str) -> bool:
        """Whether this worker runs the set-up of a trigger; it does until the end."""
        ...

    async def lock_runs(self, run_ids: Sequence[UUID], wait_ids: Sequence[UUID]) -> None:
        """Hold runs, and the runs of waits, in their one order."""
        ...

    async def end_runs(self, run_ids: Sequence[UUID], ending: Ending) -> Sequence[Ended]:
        """End active runs; those that have ended are not given."""
        ...

    async def moments(self, counters: Sequence[Counter]) -> Mapping[Counter, Sequence[datetime]]:
        """The last occurrences of counters, which are locked."""
        ...

    async def keep_moments(self, changed: Sequence[Moments]) -> None:
        """Keep the last occurrences of counters."""
        ...

    async def armed_holds(self, holders: Sequence[Holder]) -> Mapping[Holder, UUID]:
        """Which holds are armed; they are locked."""
        ...

    async def change_holds(self, armed: Sequence[Hold], gone: Sequence[UUID]) -> None:
        """Disarm holds, and arm others."""
        ...

    async def timers(self, ids: Sequence[UUID]) -> Sequence[StoredTimer]:
        """Timers, to be judged."""
        ...

    async def take_holds(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Take holds that are due, each once; they are locked."""
        ...

    async def move_schedule(
        self, timer_id: UUID, due_at: datetime, following: datetime | None, value: bool | None
    ) -> bool:
        """Set the next tick, or end the schedule; say whether nobody has done so before."""
        ...

    async def awaited(self, events: Sequence[Event]) -> Sequence[Awaited]:
        """The armed waits that events may satisfy, in order of the events."""
        ...

    async def open_results(self, keys: Sequence[StepKey]) -> Sequence[Awaited]:
        """The armed waits for results of remote actions; `place` is that of the key."""
        ...

    async def fire(
        self, satisfied: Sequence[tuple[UUID, bytes | None]], now: datetime
    ) -> Sequence[Firing]:
        """Fire waits, each with the payload of its event; give those that were armed until now."""
        ...

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """Keep why the filters of waits could not be judged."""
        ...

    async def create_runs(self, births: Sequence[Birth]) -> None:
        """Insert run rows."""
        ...

    async def past_run(self, run_id: UUID) -> Past | None:
        """A run that is to be retried."""
        ...

    async def copy_steps(self, run_id: UUID, revival: Revival) -> None:
        """Give a run the steps of the one that it goes on from."""
        ...

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """Put events into the outbox."""
        ...


class AutomationSource(Protocol):
    """What matching reads of the stored automations."""

    async def revision(self) -> int:
        """The revision that is in force."""
        ...

    async def heads(self) -> tuple[int, Sequence[Head]]:
        """The revision, and all automations by creation."""
        ...

    async def definitions(
        self, keys: Sequence[tuple[str, int]]
    ) -> Mapping[tuple[str, int], Stored]:
        """Definitions by (automation id, version)."""
        ...


class TypeSource(Protocol):
    """What the catalog reads of the types that services have registered."""

    async def since(self, revision: int) -> Sequence[StoredType]:
        """What was registered or changed after a revision, in that order."""
        ...


class Checkpoints(Protocol):
    """Stores what walks have done, many at a time."""

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """Return when `checkpoint` is committed; a passing fault only makes it take longer.

        Returns:
            How often the run has been woken, where it was to end, rest or sleep. If that is more
            often than the walk knew, the run does not sleep and stays with its owner.

        Raises:
            OwnerLost: Another worker or an operator took the run; nothing was written.
            DataRefused: The store cannot hold a value of it.
        """
        ...


class History(Protocol):
    """What a walk reads of what is stored."""

    async def consumable(
        self, automation_id: str, context_key: str | None, types: Sequence[str]
    ) -> Consumed:
        """The newest open artifact of each type, by qualified type id."""
        ...

    async def items(self, run_id: UUID, seqs: Sequence[int]) -> Mapping[int, list[Json]]:
        """The lists of the for_each loops of a run, by the seq of their step."""
        ...

    async def fired(self, run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
        """What has fired of runs and is not taken up yet."""
        ...


class Meter(Protocol):
    """Takes what is counted and measured; so quick that nobody needs to leave it out."""

    def event(self, outcome: str, number: int = 1) -> None:
        """Events were accepted, postponed, or dead-lettered."""
        ...

    def batch(self, events: int) -> None:
        """So many events went through one transaction, or were to."""
        ...

    def run_ended(self, status: str, seconds: float | None) -> None:
        """A run has its final status; so long after its start, if it was started."""
        ...

    def step_ended(self, kind: str, seconds: float) -> None:
        """A step of this kind took so long."""
        ...

    def woke(self, seconds_late: float) -> None:
        """A wait was fired so long after its time."""
        ...

    def answered(self, endpoint: str, code: str) -> None:
        """A request of the control API was answered."""
        ...


class StepSpan(Protocol):
    """The span of one call of an action."""

    @property
    def traceparent(self) -> str:
        """The trace context for whatever the call publishes and asks."""
        ...

    def failed(self, error: str) -> None:
        """Say why the call has failed."""
        ...


class Traces(Protocol):
    """Writes spans; there is none where traces are off."""

    def begun(self, event: Event) -> Event:
        """Begin the span of an event that was taken; give the event within it."""
        ...

    def handled(self, messages: Sequence[Message], error: str | None) -> None:
        """End the spans of events."""
        ...

    def step(
        self, run: RunState, path: str, action: str, attempt: int
    ) -> AbstractContextManager[StepSpan]:
        """Have a span around a call."""
        ...

    def run_ended(self, run: RunState, status: RunStatus, at: datetime, error: str | None) -> None:
        """Write the span of a run that has ended."""
        ...

    def traceparent(self, run: RunState) -> str:
        """Give the trace context within the span of a run."""
        ...


class Clock(Protocol):
    """The one clock for all that is compared: that of the database."""

    def now(self) -> datetime:
        """Aware, UTC."""
        ...

    def limit(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Raise TimeoutError in the block when it takes longer than so many seconds."""
        ...
