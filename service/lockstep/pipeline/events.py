"""The way of an event: from bytes to runs, and what the bus shall do with it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from typing import Final, Protocol, TypeAlias
from uuid import UUID

import structlog

from lockstep import matching, wake
from lockstep.model.errors import DataRefused, EngineError, StoreTooSlow
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.parked import ParkedEvent
from lockstep.model.verdicts import Accept, Verdict
from lockstep.model.waits import Awaited, Rank, Satisfied, StepKey, topic
from lockstep.pipeline.judging import Outdated, catch_up, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.pipeline.windows_and_holds import pass_windows_and_holds
from lockstep.ports.pipeline import Transaction
from lockstep.ports.telemetry import Traces

# As one statement stores: a transaction of some of them ends soon, and so much JSON, decoded, is
# some tens of megabytes.
PART_BYTES: Final = 4 << 20

log = structlog.get_logger()


class _ReadAwaited(Protocol):
    """Reads armed waits that events may satisfy."""

    async def __call__(
        self, events: Sequence[Event], after: Awaited | None = None
    ) -> Sequence[Awaited]:
        """Give the first ones, or those that follow."""
        ...


class EventTypes(Protocol):
    """What is known of the types of events."""

    @property
    def events_state(self) -> int:
        """Another number after each change of what events mean."""
        ...


class Undecoded(Exception):
    """Events were decoded by types that have changed since: decode them again."""


class Unread(Exception):
    """An event was parked, and cannot be judged here either; says why."""


Take: TypeAlias = Callable[[Transaction], Awaitable[Sequence[Event]]]
"""Takes events in a transaction; gives those that nobody has taken before."""


def _take(events: Sequence[Event]) -> Take:
    async def take(tx: Transaction) -> Sequence[Event]:
        new = await tx.take_receipts(events)
        return [event for event in events if event.delivery in new]

    return take


class EventPipeline:
    """See `ports.pipeline.EventPipeline`."""

    def __init__(
        self,
        parts: PipelineParts,
        decode: Callable[[Message], Event | Poison],
        types: EventTypes,
        known_steps: Callable[[Sequence[StepKey]], Awaitable[Set[StepKey]]],
        traces: Traces | None,
    ) -> None:
        self._parts, self._decode, self._types = parts, decode, types
        self._known_steps, self._traces = known_steps, traces

    async def receive(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        """See `ports.pipeline.EventPipeline`."""
        if self._traces is None:
            return await self._received(batch)
        error: str | None = "cut off"
        try:
            verdicts = await self._received(batch)
            error = None
        except EngineError as failure:
            error = str(failure)
            raise
        finally:
            self._traces.handled(batch, error, self._parts.clock.now())
        return verdicts

    async def _received(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        """Take a batch as a whole; one of large events in parts, each decoded when it is due."""
        verdicts: list[tuple[Message, Verdict | Poison]] = []
        for part in _parts(batch):
            verdicts += await self._handled(part)
        return verdicts

    async def _handled(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        while True:
            state = self._types.events_state
            decoded = [(message, self._decoded(message)) for message in batch]
            poison = [found for _, found in decoded if isinstance(found, Poison)]
            if poison:
                await self._parts.index.refresh()  # their types may be registered a moment ago
            if self._types.events_state != state:
                continue
            events = [event for _, found in decoded if (event := self._event_in(found)) is not None]
            poison = [found for found in poison if self._event_in(found) is None]
            messages = {id(self._event_in(found)): message for message, found in decoded}
            judged = _Judged(self._parts, self._types, state)
            refused = list(await wake.unknown_steps(events, self._known_steps))
            unknown = {id(event) for event, _ in refused}
            try:
                storable = [event for event in events if id(event) not in unknown]
                refused += await self._store(storable, judged)
            except Undecoded:
                continue
            break
        poison += [Poison(messages[id(event)], reason) for event, reason in refused]
        poisoned = {id(found.message) for found in poison}
        accepted = [(message, Accept()) for message in batch if id(message) not in poisoned]
        return [*accepted, *((found.message, found) for found in poison)]

    def _event_in(self, found: Event | Poison) -> Event | None:
        """Give the event; one of an unknown type only where somebody else has to be asked of it."""
        if isinstance(found, Event):
            return found
        event = found.event
        return event if event and self._parts.index.unreadable_for(event.id) else None

    async def take_parked(self, parked_id: UUID, event: Event) -> None:
        """Take an event that was parked, for whom it is for alone.

        Raises:
            Unread: This replica cannot ask him either.
            Undecoded: The types have changed since it was decoded: decode it again.
            Unavailable: The store is away.
        """

        async def take(tx: Transaction) -> Sequence[Event]:
            return [event] if await tx.drop_parked_events([parked_id]) else []

        judged = _Judged(self._parts, self._types, self._types.events_state)
        await commit_judged(_Batch([event], judged, take, is_parked=True), self._parts)

    def _decoded(self, message: Message) -> Event | Poison:
        found = self._decode(message)
        if self._traces is not None and isinstance(found, Event):
            return self._traces.begun(found, self._parts.clock.now())
        return found

    async def _store(self, events: Sequence[Event], judged: "_Judged") -> list[tuple[Event, str]]:
        """Store a batch; split it where it holds an event that cannot be stored, and name it."""
        if not events:
            return []
        try:
            await commit_judged(_Batch(events, judged, _take(events)), self._parts)
        except (DataRefused, StoreTooSlow) as error:
            if len(events) == 1:
                if isinstance(error, StoreTooSlow):
                    raise  # it may be the load: whoever has handed it over tries again later
                return [(events[0], str(error))]
            log.warning("batch.refused", events=len(events), error=error)
            middle = len(events) // 2
            first = await self._store(events[:middle], judged)
            return [*first, *await self._store(events[middle:], judged)]
        return []


def _parts(batch: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Give messages in their order, so many at once that their bodies have about 4 MiB."""
    part: list[Message] = []
    room = PART_BYTES
    for message in batch:
        room -= len(message.data)
        if part and room < 0:
            yield part
            part, room = [], PART_BYTES - len(message.data)
        part.append(message)
    if part:
        yield part


def _looking(satisfied: Sequence[Satisfied]) -> Mapping[UUID, Rank]:
    """Give the waits that look back, each with the oldest of its events."""
    found: dict[UUID, Rank] = {}
    for one in satisfied:
        if one.wait.since is not None:
            rank = one.event.time, one.event.sequence
            found[one.wait.id] = min(rank, found.get(one.wait.id, rank))
    return found


class _Judged:
    """What was judged of messages that were decoded by one state of the types."""

    def __init__(self, parts: PipelineParts, types: EventTypes, state: int) -> None:
        self.parts = parts
        kept = parts.decisions_are_kept
        self.waits = wake.Correlation(parts.compile_filter, parts.pace, kept)
        self.triggers = matching.Judgements(parts.index, parts.pace, kept)
        self._types, self._state = types, state

    def check(self) -> None:
        """Raise Undecoded where the types have changed."""
        if self._types.events_state != self._state:
            raise Undecoded


class _Batch:
    """A `pipeline.judging.Judging`: takes events that are new through waits and triggers."""

    def __init__(
        self, events: Sequence[Event], judged: _Judged, take: Take, *, is_parked: bool = False
    ) -> None:
        self._judged, self._parts = judged, judged.parts
        self._take, self._is_parked = take, is_parked
        self._fresh = events  # as far as is known

    async def prepare(self) -> None:
        """See `pipeline.judging.Judging`."""
        await self._judge(self._parts.transactions.awaited)

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """See `pipeline.judging.Judging`."""
        topics = await self._share_topics(tx, all_of_them=is_last)
        fresh = self._fresh = await self._take(tx)
        if not fresh:
            return Decided()
        standing = await tx.standing(fresh)
        await catch_up(self._parts.index, standing.revision, is_last=is_last)
        self._judged.check()
        kept = self._looked_back()
        if not topics.issuperset(topic(one.id, one.context_key) for one in kept):
            raise Outdated(standing.revision)  # they are locked before the receipts
        # Told before runs are launched: a wait of theirs is not satisfied by its own event.
        armed = standing.armed
        satisfied = await self._judged.waits.satisfied(fresh, armed, tx)
        if satisfied is None or self._judged.triggers.lack(fresh):
            if not is_last:
                raise Outdated(standing.revision)
            armed = await self._judge(tx.awaited)
            satisfied = await self._judged.waits.satisfied(fresh, armed, tx) or []
        if kept:
            await tx.keep_recent(kept, self._parts.clock.now())
        parked = self._unread(armed)
        satisfied += await wake.late_results(fresh, tx)
        candidates, refused = self._judged.triggers.of(fresh)
        decided = await pass_windows_and_holds(candidates, self._parts.clock.now(), tx)
        # Of a wait that looks back its look says which event ends it: an older one may follow.
        decided.satisfied = [one for one in satisfied if one.wait.since is None]
        decided.looking = _looking(satisfied)
        decided.parked = parked
        passed_over = self._judged.waits.passed_over(fresh, armed)
        decided.judged = [*refused, *passed_over, *decided.judged]
        return decided

    def _looked_back(self) -> list[Event]:
        """Give the events that some wait may look back on; what was parked was kept before."""
        asks = self._parts.index.looks_back_on
        return [one for one in self._fresh if one.only is None and asks(one.id)]

    async def _share_topics(self, tx: Transaction, *, all_of_them: bool) -> set[bytes]:
        """Lock what waits may look back on; where there is no other try, whatever it may be."""
        events = self._fresh if all_of_them else self._looked_back()
        topics = {topic(one.id, one.context_key) for one in events}
        if topics:
            await tx.lock_topics(sorted(topics), alone=False)
        return topics

    def _unread(self, armed: Sequence[tuple[int, UUID]]) -> list[ParkedEvent]:
        """Give what has to be asked of automations and waits that others can read.

        Raises:
            Unread: It was parked before.
        """
        parked = self._judged.waits.unread(self._fresh, armed)
        parked += matching.unread(self._fresh, self._parts.index)
        if parked and self._is_parked:
            raise Unread(parked[0].reason)
        return parked

    async def _judge(self, read: "_ReadAwaited") -> list[tuple[int, UUID]]:
        """Judge waits and triggers; give the waits, with the places of their events."""
        armed: list[tuple[int, UUID]] = []
        last: Awaited | None = None
        while last is None or last.follows:  # scopes may be large: some are in memory at a time
            awaited = await read(self._fresh, last)
            if not awaited:
                break
            await self._judged.waits.prepare(self._fresh, awaited)
            armed += [(wait.place, wait.id) for wait in awaited]
            last = awaited[-1]
        await self._judged.triggers.prepare(self._fresh, self._parts.clock.now())
        return armed
