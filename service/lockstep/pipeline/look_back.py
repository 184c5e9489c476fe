"""Waits that look back: they take the oldest event that was handled before, or wait for the next.

A walk stores such a wait as `looking`, with its commit as every other. It is armed here, in a
transaction that has its topic alone: whoever handles events shares their topics, and keeps what
some wait may look back on. So each event is among those that the wait looks at, or finds it armed,
and lets it look again.

What a look has found is taken once no older event of the topic is unhandled. That is asked before
the transaction, and after the events were read: what was handled in between is seen in it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias
from uuid import UUID

import msgspec
import structlog

from lockstep import wake
from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.parked import Row
from lockstep.model.texts import storable
from lockstep.model.waits import LAST, Looking, Rank, RecentRow, Satisfied
from lockstep.pipeline.held_looks import HeldLooks
from lockstep.pipeline.judging import Outdated, commit_judged
from lockstep.pipeline.look_back_news import AT_ONCE, LookBackNews
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.apart import set_apart
from lockstep.ports.pipeline import Transaction
from lockstep.ports.unhandled import Question

RETRY_SECONDS: Final = 1.0  # a store that is away is not asked more often by each replica

_Behind: TypeAlias = Callable[
    [Looking, tuple[Rank, int]], Awaitable[Sequence[tuple[RecentRow, Event]]]
]

log = structlog.get_logger()


class Unasked(Exception):
    """A wait cannot be asked here; says why. Another replica may have what it takes."""


class LookingRows(Protocol):
    """The waits that have not looked back."""

    async def park_waits(self, waits: Sequence[Row]) -> None:
        """Put waits aside that cannot look back here, each with the reason."""
        ...

    async def looking(self, after: UUID | None, limit: int) -> Sequence[UUID]:
        """Find some, by id, behind one of them. Raise Unavailable."""
        ...


class LookBacks:
    """Lets waits look back, and arms them; any replica may do so with any of them."""

    def __init__(
        self, rows: LookingRows, news: LookBackNews, held: HeldLooks, parts: PipelineParts
    ) -> None:
        self._rows, self._news, self._held, self._parts = rows, news, held, parts

    async def run(self) -> None:
        """Look back for what this worker has stored, until cancelled."""
        while True:
            ids = await self._news.next()
            try:
                await self.look(ids)
            except Unavailable as error:
                log.warning("service.delayed", error=error)
                self._news.note(ids)
                await asyncio.sleep(RETRY_SECONDS)

    async def sweep(self) -> None:
        """Look back for what nobody has told of: who stored it is gone. Raise Unavailable."""
        last: UUID | None = None
        while found := await self._rows.looking(last, AT_ONCE):
            await self.look([one for one in found if one not in self._held])
            last = found[-1]

    async def look(self, ids: Sequence[UUID]) -> None:
        """Arm those of these waits that look back, or end them. Raise Unavailable."""
        await set_apart(sorted(ids), self._look, self._rows.park_waits)

    async def _look(self, ids: Sequence[UUID]) -> None:
        looks = _Looks(ids, self._held, self._parts)
        await commit_judged(looks, self._parts)
        self._held.over([one for one in ids if one not in looks.held])
        self._news.note(looks.again)


@dataclass(slots=True)
class _Look:
    """How far a wait has looked: the rows that were judged, and the oldest event that ends it."""

    look: Looking
    since: Rank
    judged: set[int] = field(default_factory=set)
    match: tuple[RecentRow, Event] | None = None
    clear: Rank | None = None  # no event that is older than this one is unhandled
    warning: str | None = None

    @property
    def until(self) -> Rank | None:
        """Behind which event nothing has to be judged."""
        return self.match[0].rank if self.match else None

    @property
    def is_clear(self) -> bool:
        """Say whether what was found, if anything was, is known to be the oldest one."""
        return self.until is None or (self.clear is not None and self.until <= self.clear)

    def question(self) -> Question | None:
        """Ask for what may still come before the event that was found."""
        if self.match is None:
            return None
        event = self.match[1]
        return Question(
            id=self.look.wait.id,
            event_id=self.look.event_id,
            context_key=self.look.context_key,
            until=event.time,
            below=event.sequence,
        )

    def is_own(self, rank: Rank) -> bool:
        """Say whether this is the event that started the run: it ends none of its waits."""
        time, sequence = self.look.began
        return rank == (time, sequence) or (not sequence and rank[0] == time)


class _Looks:
    """A `pipeline.judging.Judging`: judges recent events before the topics are locked."""

    def __init__(self, ids: Sequence[UUID], held: HeldLooks, parts: PipelineParts) -> None:
        self._ids, self._held, self._parts = ids, held, parts
        self._waits = wake.Correlation(parts.compile_filter, parts.pace)
        self._looks: dict[UUID, _Look] = {}
        self.held: set[UUID] = set()
        self.again: list[UUID] = []  # nobody was asked about what they have found

    async def prepare(self) -> None:
        """See `pipeline.judging.Judging`."""
        now = self._parts.clock.now()
        for found in await self._parts.transactions.looking(self._ids):
            look = self._looks.setdefault(found.wait.id, _Look(found, found.since(now)))
            await self._judge(look, self._parts.transactions.recent)
        asked = {one.id: one for look in self._looks.values() if (one := look.question())}
        self.held = await self._held.among([*asked.values()])
        for wait_id in asked.keys() - self.held:
            self._looks[wait_id].clear = self._looks[wait_id].until

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """Arm what has seen all events; see `pipeline.judging.Judging`."""
        looks = [one for wait_id, one in self._looks.items() if wait_id not in self.held]
        if not looks:
            return Decided()
        await tx.lock_topics(sorted({one.look.topic for one in looks}), alone=True)
        seen = await tx.seen([(one.look, one.since, one.until) for one in looks])
        for one in looks:
            if all(row.position in one.judged for row in seen[one.look.wait.id]):
                continue
            if not is_last:
                raise Outdated(self._parts.index.revision)
            await self._judge(one, tx.recent)
        # Behind the events: what is dropped meanwhile is told here.
        still = {found.wait.id: found for found in await tx.looking(self._ids)}
        looks = [one for one in looks if one.look.wait.id in still]
        self.again = [one.look.wait.id for one in looks if not one.is_clear]
        return await self._armed([one for one in looks if one.is_clear], still, tx)

    async def _armed(
        self, looks: Sequence[_Look], still: dict[UUID, Looking], tx: Transaction
    ) -> Decided:
        if not looks:
            return Decided()
        await tx.lock_runs(sorted({one.look.wait.run_id for one in looks}), [])
        await tx.arm_waits([(one.look.wait.id, one.since) for one in looks])
        decided, satisfied = Decided(), []
        for one in looks:
            wait = one.look.wait
            if still[wait.id].may_lack(one.since):
                decided.incomplete.append(wait.id)
            elif one.match is not None:
                bare = msgspec.structs.replace(wait, since=one.since, run_scope=None)
                satisfied.append(Satisfied(bare, one.match[1]))
            elif one.warning is not None:
                await tx.warn([(wait.id, one.warning)])
        decided.satisfied = satisfied
        return decided

    async def _judge(self, one: _Look, read: _Behind) -> None:
        """Judge what is not judged yet, oldest first, up to the event that ends the wait."""
        after = one.since, LAST
        while page := await read(one.look, after):
            for row, event in page:
                if one.until is not None and row.rank >= one.until:
                    return
                if row.position in one.judged:
                    continue
                verdict = (
                    False
                    if one.is_own(row.rank)
                    else (await self._waits.verdict(one.look.wait, event))
                )
                if isinstance(verdict, wake.UnreadWait):
                    raise Unasked(verdict.reason)
                one.judged.add(row.position)
                if isinstance(verdict, str):
                    text = f"the filter could not be judged for an event: {verdict}"
                    one.warning = storable(text)
                elif verdict:
                    one.match = row, event
                    return
            after = page[-1][0].rank, page[-1][0].position
