"""Runs that steps of other runs start: once for each step, ended with it, and waited for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from lockstep import gate
from lockstep.model.catalog import Catalog
from lockstep.model.errors import Unavailable
from lockstep.model.matches import Hit
from lockstep.model.runs import (
    Automation,
    Child,
    ChildRefused,
    ChildWanted,
    Ended,
    Event,
    Firing,
    RunState,
)
from lockstep.pipeline import Decided, Parts, commit
from lockstep.ports import Transaction

CANCELLED: Final = "the run that started it was cancelled"
AT_ONCE: Final = 200

log = structlog.get_logger()


class Runs(Protocol):
    """The stored runs."""

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """The run that a step has started."""
        ...

    async def wake_parents(self, run_ids: Sequence[UUID], now: datetime) -> Sequence[Firing]:
        """Fire the waits of the steps that have started these runs, which have ended."""
        ...

    async def wake_missed(self, now: datetime) -> Sequence[Firing]:
        """Fire the waits of steps whose runs have ended without a word."""
        ...

    async def of_parents(self, run_ids: Sequence[UUID]) -> Sequence[UUID]:
        """The active runs that are to be cancelled with these."""
        ...

    async def orphans(self) -> Sequence[UUID]:
        """The active runs that are to be cancelled with their parents, which were."""
        ...


class Children:
    """A `ports.Children`; tells parents and children of each other's end.

    Both words are hints: the rows say it too, and the sweep finds what nobody has told.
    """

    def __init__(
        self,
        runs: Runs,
        parts: Parts,
        catalog: Catalog,
        cancel: Callable[[Sequence[UUID], str], Awaitable[object]],
        hop_limit: int,
    ) -> None:
        self._runs, self._parts, self._catalog = runs, parts, catalog
        self._cancel, self._hop_limit = cancel, hop_limit
        self._ended: set[UUID] = set()  # runs whose parents may wait for them
        self._cancelled: set[UUID] = set()  # runs whose children may have to end too
        self._told = asyncio.Event()

    async def start(self, wanted: ChildWanted) -> Child:
        """See `ports.Children`."""
        parent = wanted.parent
        if wanted.hop > self._hop_limit:
            raise ChildRefused(
                f"automation '{wanted.automation}': hop {wanted.hop} is past the limit of "
                f"{self._hop_limit}: automations that start each other?"
            )
        there = await self._runs.child(parent.run_id, parent.path)
        if there is not None:
            return there

        async def decide(tx: Transaction) -> Decided:
            await self._parts.index.at_least(await tx.revision())
            hit = self._hit(wanted)
            await tx.lock_gates([gate.gate_of(hit)])
            if await tx.child(parent.run_id, parent.path) is not None:
                return Decided()
            return Decided([hit])

        births = await commit(decide, self._parts)
        if births:
            return Child(births[0].id, births[0].status)
        there = await self._runs.child(parent.run_id, parent.path)
        if there is None:
            raise ChildRefused(f"automation '{wanted.automation}' was disabled a moment ago")
        return there

    def run_ended(self, run: RunState) -> None:
        """Hear that a run has ended by itself."""
        if run.parent_run_id is not None:
            self._ended.add(run.id)
            self._told.set()

    def ended_outside(self, ended: Sequence[Ended]) -> None:
        """Hear that runs were ended from outside: those that they started may have to end too."""
        if ended:
            self._ended.update(one.run.id for one in ended if one.run.parent_run_id is not None)
            self._cancelled.update(one.run.id for one in ended)
            self._told.set()

    async def run(self) -> None:
        """Tell parents and children, until cancelled."""
        while True:
            await self._told.wait()
            self._told.clear()
            ended, cancelled = list(self._ended), list(self._cancelled)
            self._ended.clear()
            self._cancelled.clear()
            try:
                if ended:
                    now = self._parts.clock.now()
                    self._parts.woken(await self._runs.wake_parents(ended, now))
                if cancelled:
                    await self._end(await self._runs.of_parents(cancelled))
            except Unavailable as error:
                log.info("word.lost", error=str(error))  # the sweep finds them

    async def sweep(self) -> None:
        """Find what was not told. Raise Unavailable."""
        self._parts.woken(await self._runs.wake_missed(self._parts.clock.now()))
        await self._end(await self._runs.orphans())

    async def _end(self, run_ids: Sequence[UUID]) -> None:
        for start in range(0, len(run_ids), AT_ONCE):
            await self._cancel(run_ids[start : start + AT_ONCE], CANCELLED)

    def _hit(self, wanted: ChildWanted) -> Hit:
        """Make what starts the run: the first trigger, filter and conditions passed over."""
        automation = self._automation(wanted.automation)
        trigger = automation.program.triggers[0]
        kind = self._catalog.trigger(trigger.event)
        schema = kind.payload_schema if kind is not None else None
        for fault in schema.faults(wanted.payload) if schema is not None else ():
            place = ".".join(["payload", *(str(part) for part in fault.path)])
            raise ChildRefused(f"automation '{wanted.automation}': {place}: {fault.message}")
        extract = kind.context_key if kind is not None else None
        event = Event(
            id=trigger.event,
            payload=wanted.payload,
            body=msgspec.json.encode(wanted.payload),
            delivery=f"child:{wanted.parent.run_id}:{wanted.parent.path}",
            message_id=None,
            context_key=extract(wanted.payload) if extract is not None else wanted.context_key,
            actor=wanted.actor,
            hop=wanted.hop,
            time=self._parts.clock.now(),
            sequence=0,
            traceparent=wanted.traceparent,
            parent=wanted.parent,
        )
        return Hit(event, automation, trigger)

    def _automation(self, name: str) -> Automation:
        found = self._parts.index.automation(name)
        if found is not None:
            return found
        named = self._parts.index.named(name)
        if len(named) == 1:
            return named[0]
        if named:
            ids = ", ".join(one.id for one in named[:5])
            raise ChildRefused(f"{len(named)} automations are named '{name}': {ids}; give the id")
        raise ChildRefused(f"automation '{name}' is not known, or is disabled")
