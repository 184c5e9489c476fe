"""Waits that look back: they take the oldest event that was handled before, or wait for the next.

A walk stores such a wait as `looking`, with its commit as every other. It is armed here, in a
transaction that has its topic alone: whoever handles events shares their topics, and keeps what
some wait may look back on. So each event is among those that the wait looks at, or finds it armed.
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
from lockstep.model.runs import Checkpoint
from lockstep.model.texts import storable
from lockstep.model.waits import LAST, Looking, Rank, RecentRow, Satisfied
from lockstep.pipeline.judging import Outdated, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.apart import set_apart
from lockstep.ports.listeners import Listener
from lockstep.ports.pipeline import Transaction

AT_ONCE: Final = 20  # waits: their scopes are in memory, and their runs are locked together
MOST: Final = 10_000  # ids that are noted; the sweep finds the others
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


class LookBackNews(Listener):
    """Hears of waits that were stored and have to look back."""

    def __init__(self) -> None:
        self._waits: dict[UUID, None] = {}
        self._heard = asyncio.Event()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """See `ports.listeners.Listener`."""
        self.note([w.id for one in done for w in one.waits if w.look_back is not None])

    def note(self, ids: Sequence[UUID]) -> None:
        """Have these looked at next, as far as there is room."""
        if ids and len(self._waits) < MOST:
            self._waits.update(dict.fromkeys(ids))
            self._heard.set()

    async def next(self) -> list[UUID]:
        """Wait until there are some; take the first ones."""
        while not self._waits:
            self._heard.clear()
            await self._heard.wait()
        taken = [*self._waits][:AT_ONCE]
        for one in taken:
            del self._waits[one]
        return taken


class LookBacks:
    """Lets waits look back, and arms them; any replica may do so with any of them."""

    def __init__(self, rows: LookingRows, news: LookBackNews, parts: PipelineParts) -> None:
        self._rows, self._news, self._parts = rows, news, parts

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
            await self.look(found)
            last = found[-1]

    async def look(self, ids: Sequence[UUID]) -> None:
        """Arm those of these waits that look back, or end them. Raise Unavailable."""
        await set_apart(sorted(ids), self._look, self._rows.park_waits)

    async def _look(self, ids: Sequence[UUID]) -> None:
        await commit_judged(_Looks(ids, self._parts), self._parts)


@dataclass(slots=True)
class _Look:
    """How far a wait has looked: the rows that were judged, and the oldest event that ends it."""

    look: Looking
    since: Rank
    judged: set[int] = field(default_factory=set)
    match: tuple[RecentRow, Event] | None = None
    warning: str | None = None

    @property
    def until(self) -> Rank | None:
        """Behind which event nothing has to be judged."""
        return self.match[0].rank if self.match else None

    def is_own(self, rank: Rank) -> bool:
        """Say whether this is the event that started the run: it ends none of its waits."""
        time, sequence = self.look.began
        return rank == (time, sequence) or (not sequence and rank[0] == time)


class _Looks:
    """A `pipeline.judging.Judging`: judges recent events before the topics are locked."""

    def __init__(self, ids: Sequence[UUID], parts: PipelineParts) -> None:
        self._ids, self._parts = ids, parts
        self._waits = wake.Correlation(parts.compile_filter, parts.pace)
        self._looks: dict[UUID, _Look] = {}

    async def prepare(self) -> None:
        """See `pipeline.judging.Judging`."""
        now = self._parts.clock.now()
        for found in await self._parts.transactions.looking(self._ids):
            look = self._looks.setdefault(found.wait.id, _Look(found, found.since(now)))
            await self._judge(look, self._parts.transactions.recent)

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """Arm what has seen all events; see `pipeline.judging.Judging`."""
        looks = [*self._looks.values()]
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
        return await self._armed([one for one in looks if one.look.wait.id in still], still, tx)

    async def _armed(
        self, looks: Sequence[_Look], still: dict[UUID, Looking], tx: Transaction
    ) -> Decided:
        if not looks:
            return Decided()
        await tx.lock_runs(sorted({one.look.wait.run_id for one in looks}), [])
        await tx.arm_waits([(one.look.wait.id, one.since) for one in looks])
        decided, satisfied = Decided(), []
        for one in looks:
            wait, dropped = one.look.wait, still[one.look.wait.id].dropped
            if dropped is not None and dropped > one.since:
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
