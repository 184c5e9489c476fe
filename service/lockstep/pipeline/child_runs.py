"""Runs that steps of other runs start: once for each step, ended with it, and waited for."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep import gate
from lockstep.model.automations import Automation, DefinitionUnreadable
from lockstep.model.child_runs import Child, ChildRefused, ChildWanted, Parent
from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.matches import TriggerMatch
from lockstep.model.runs import Checkpoint, Ended
from lockstep.model.texts import path_text
from lockstep.model.types import Catalog
from lockstep.model.waits import Firing
from lockstep.pipeline.judging import Made, commit_judged
from lockstep.pipeline.parts import Decided, PipelineParts
from lockstep.ports.apart import apart
from lockstep.ports.listeners import Listener
from lockstep.ports.pipeline import Transaction
from lockstep.schedule import with_tick
from lockstep_schemas.run_events import ACTIVE

CANCELLED: Final = "the run that started it was cancelled"
AT_ONCE: Final = 200  # runs ended in one transaction, which locks their queues
RETRY_SECONDS: Final = 1.0  # while the store is away; the time of the step bounds it

log = structlog.get_logger()


class ParentsAndChildren(Protocol):
    """The stored runs, by who has started whom."""

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """The run that a step has started."""
        ...

    async def wake_parents(self, run_ids: Sequence[UUID], now: datetime) -> Sequence[Firing]:
        """Fire the waits of the steps that have started these runs, which have ended."""
        ...

    async def wake_missed(self, now: datetime) -> Sequence[Firing]:
        """Fire the waits of steps whose runs have ended without a notice."""
        ...

    async def of_parents(self, run_ids: Sequence[UUID]) -> Sequence[UUID]:
        """The active runs that are to be cancelled with these."""
        ...

    async def orphans(self) -> Sequence[UUID]:
        """The active runs that are to be cancelled with their parents, which were."""
        ...


class ChildRunNews(Listener):
    """Hears of the ends of runs that somebody else has to know of."""

    def __init__(self) -> None:
        self._ended: set[UUID] = set()  # runs whose parents may wait for them
        self._cancelled: set[UUID] = set()  # runs whose children may have to end too
        self._heard = asyncio.Event()

    def checkpointed(self, done: Sequence[Checkpoint]) -> None:
        """Note children that have ended by themselves."""
        for one in done:
            if one.run.parent_run_id is not None and one.status not in ACTIVE:
                self._ended.add(one.run.id)
                self._heard.set()

    def ended(self, ended: Sequence[Ended]) -> None:
        """Note runs that were ended: those that they started may have to end too."""
        self._ended.update(one.run.id for one in ended if one.run.parent_run_id is not None)
        self._cancelled.update(one.run.id for one in ended)
        self._heard.set()

    async def next(self) -> tuple[list[UUID], list[UUID]]:
        """Wait for news: the runs that have ended, and those that were ended."""
        await self._heard.wait()
        self._heard.clear()
        found = [*self._ended], [*self._cancelled]
        self._ended.clear()
        self._cancelled.clear()
        return found


class ChildRuns:
    """A `ports.actions.Children`; tells parents and children of each other's end.

    The news are hints: the rows say it too, and the sweep finds what nobody has told.
    """

    def __init__(
        self,
        runs: ParentsAndChildren,
        news: ChildRunNews,
        parts: PipelineParts,
        catalog: Catalog,
        hop_limit: int,
    ) -> None:
        self._runs, self._news, self._parts = runs, news, parts
        self._catalog, self._hop_limit = catalog, hop_limit

    async def start(self, wanted: ChildWanted) -> Child:
        """See `ports.actions.Children`."""
        is_told = False
        while True:
            try:
                return await self._start(wanted)
            except Unavailable as error:
                # Perhaps it was started: nobody knows. Asked again, it is found or started now.
                if not is_told:
                    is_told = True
                    log.warning("walk.delayed", error=error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _start(self, wanted: ChildWanted) -> Child:
        parent = wanted.parent
        if wanted.hop > self._hop_limit:
            raise ChildRefused(
                f"automation '{wanted.automation}': hop {wanted.hop} is past the limit of "
                f"{self._hop_limit}: automations that start each other?"
            )
        there = await self._runs.child(parent.run_id, parent.path)
        if there is not None:
            return there

        start = _ChildStart(lambda: self._match(wanted), parent, self._parts)
        new_runs = await commit_judged(start, self._parts)
        if new_runs:
            return Child(new_runs[0].id, new_runs[0].status)
        there = await self._runs.child(parent.run_id, parent.path)
        if there is None:
            raise ChildRefused(f"automation '{wanted.automation}' was disabled a moment ago")
        return there

    async def run(self) -> None:
        """Tell parents and children, until cancelled."""
        while True:
            ended, cancelled = await self._news.next()
            try:
                await apart(ended, self._wake_parents, _refused)
                if cancelled:
                    await self._end(await self._runs.of_parents(cancelled))
            except Unavailable as error:
                log.info("notice.lost", error=error)  # the sweep finds them

    async def sweep(self) -> None:
        """Find what was not told. Raise Unavailable."""
        self._tell(await self._runs.wake_missed(self._parts.clock.now()))
        await self._end(await self._runs.orphans())

    async def _wake_parents(self, run_ids: Sequence[UUID]) -> None:
        self._tell(await self._runs.wake_parents(run_ids, self._parts.clock.now()))

    def _tell(self, firings: Sequence[Firing]) -> None:
        if firings:
            self._parts.listener.fired(firings)

    async def _end(self, run_ids: Sequence[UUID]) -> None:
        for start in range(0, len(run_ids), AT_ONCE):
            await apart(run_ids[start : start + AT_ONCE], self._cancel, _refused)

    async def _cancel(self, run_ids: Sequence[UUID]) -> None:
        await self._parts.terminator.cancel(run_ids, CANCELLED)

    def _match(self, wanted: ChildWanted) -> TriggerMatch:
        """Make what starts the run: the first trigger, filter and conditions passed over."""
        automation = self._automation(wanted.automation)
        trigger = automation.program.triggers[0]
        now = self._parts.clock.now()
        payload = with_tick(trigger.event, wanted.payload, now)
        kind = self._catalog.trigger(trigger.event)
        schema = kind.payload_schema if kind is not None else None
        for fault in schema.faults(payload) if schema is not None else ():
            place = path_text(["payload", *fault.path])
            raise ChildRefused(f"automation '{wanted.automation}': {place}: {fault.message}")
        extract = kind.context_key if kind is not None else None
        event = Event(
            id=trigger.event,
            payload=payload,
            body=msgspec.json.encode(payload),
            delivery=f"child:{wanted.parent.run_id}:{wanted.parent.path}",
            message_id=None,
            context_key=extract(payload) if extract is not None else wanted.context_key,
            actor=wanted.actor,
            hop=wanted.hop,
            time=now,
            sequence=0,
            traceparent=wanted.traceparent,
            parent=wanted.parent,
        )
        return TriggerMatch(event, automation, trigger)

    def _automation(self, name: str) -> Automation:
        found = self._parts.index.automation(name)
        if found is not None:
            return found
        elsewhere = self._parts.index.unreadable_as(name)
        named = () if name in elsewhere else self._parts.index.named(name)
        if len(named) + len(elsewhere) > 1:
            ids = ", ".join(sorted([*(one.id for one in named), *elsewhere])[:5])
            count = len(named) + len(elsewhere)
            raise ChildRefused(f"{count} automations are named '{name}': {ids}; give the id")
        if named:
            return named[0]
        for reason in elsewhere.values():
            raise DefinitionUnreadable(reason)
        raise ChildRefused(f"automation '{name}' is not known, or is disabled")


class _ChildStart(Made):
    """A `pipeline.judging.Judging`: starts the run of a step, if it has none."""

    def __init__(
        self, make: Callable[[], TriggerMatch], parent: Parent, parts: PipelineParts
    ) -> None:
        super().__init__(make, parts.index)
        self._parent = parent

    async def decide(self, tx: Transaction, *, is_last: bool) -> Decided:
        """See `pipeline.judging.Judging`."""
        match = await self.match(tx, is_last=is_last)
        await tx.lock_keys([gate.queue_key_of(match)])
        if await tx.child(self._parent.run_id, self._parent.path) is not None:
            return Decided()
        return Decided([match])


def _refused(run_id: UUID, error: Exception) -> None:
    """Tell of one that cannot be ended, or whose parent cannot be woken; the sweep tries again."""
    log.error("child.refused", run=str(run_id), exc_info=error)
