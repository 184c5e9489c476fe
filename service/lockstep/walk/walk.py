"""One run being walked: its frames, its journal, what it may ask of the engine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.model.catalog import Catalog, Services
from lockstep.model.program import Program
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.runs import RunState
from lockstep.ports import Checkpoints, Clock, History
from lockstep.walk import frames
from lockstep.walk.frames import RootFrame
from lockstep.walk.journal import Journal
from lockstep.walk.logger import LazyLogger
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunStatus


class GivenUp(Exception):
    """The engine shuts down: the walk stops between two actions, and another worker goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What walks need of the engine."""

    checkpoints: Checkpoints
    history: History
    catalog: Catalog
    services: Services
    clock: Clock
    prefix: str = "lockstep"
    step_events: bool = True


@dataclass(slots=True, kw_only=True)
class Walk:
    """A run in the hands of this worker."""

    run: RunState
    program: Program
    parts: Parts
    root: RootFrame
    journal: Journal
    items: dict[int, list[Json]] = field(default_factory=dict)  # lists of live for_each loops
    giving_up: bool = False
    base: Mapping[str, object] = field(default_factory=dict)
    log: LazyLogger = field(default_factory=LazyLogger)
    pure_steps: int = 0
    _version: int = 0
    _stored: int = -1
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def make(cls, run: RunState, program: Program, parts: Parts, root: RootFrame) -> "Walk":
        """Put together the walk of a run."""
        return cls(
            run=run,
            program=program,
            parts=parts,
            root=root,
            journal=Journal(run, parts.clock, parts.prefix, step_events=parts.step_events),
            base=_base(run),
            log=LazyLogger(run_id=str(run.id), automation_id=run.automation_id),
        )

    @classmethod
    async def open(cls, run: RunState, program: Program, parts: Parts) -> "Walk":
        """Take up a run: from the beginning, or from its stored frames.

        Raises:
            FramesUnreadable: The stored frames are damaged or of another format.
        """
        root = frames.decode(run.document) if run.document else RootFrame()
        walk = cls.make(run, program, parts, root)
        if run.document:
            walk.items = dict(await parts.history.items(run.id))
        elif not run.event_seq:
            walk.journal.event("started", "running", run.started_at)
        return walk

    def next_seq(self) -> int:
        """Give the number of a new step row."""
        self.root.last_seq += 1
        return self.root.last_seq

    def touch(self) -> None:
        """Note that there is something that the store does not have."""
        self._version += 1

    async def checkpoint(self) -> None:
        """Return when all that was noted so far is committed.

        Branches that come here at the same time share one commit.

        Raises:
            OwnerLost: The run has another owner; stop.
            DataRefused: The store cannot hold a value.
        """
        self._version += 1
        wanted = self._version
        async with self._lock:
            if self._stored < wanted:
                await self._store("running", None, None)

    async def end(self, status: RunStatus, reason: str | None, error: str | None) -> None:
        """Store the last of it with the final status, or `pending`: another worker goes on."""
        async with self._lock:
            await self._store(status, reason, error)

    async def _store(self, status: RunStatus, reason: str | None, error: str | None) -> None:
        covered = self._version
        document = frames.encode(self.root)
        await self.parts.checkpoints.store(self.journal.take(document, status, reason, error))
        self._stored = covered

    async def breathe(self) -> None:
        """Let others go first, now and then: a loop of pure steps must not hold the engine."""
        self.pure_steps += 1
        if self.pure_steps % 32 == 0:
            await asyncio.sleep(0)
        if self.journal.is_full:
            await self.checkpoint()


def _base(run: RunState) -> dict[str, object]:
    """Build the part of the scope that is the same everywhere in a run."""
    return {
        "trigger": trigger_scope(
            run.trigger_id,
            run.trigger_event_id,
            run.trigger_payload,
            run.actor,
            run.trigger_time,
            run.message_id,
            run.context_key,
            run.hop,
        ),
        "run": {"id": str(run.id)},
        "automation": {"id": run.automation_id, "name": run.automation_name},
        "now": iso(run.started_at),
    }
