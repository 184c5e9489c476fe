"""One run being walked: its frames, its journal, what it may ask of the engine."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from lockstep.model.errors import DataRefused
from lockstep.model.ids import uuid7
from lockstep.model.program import Program
from lockstep.model.run_events import iso, trigger_scope
from lockstep.model.runs import OwnerLost, RunState
from lockstep.model.types import Catalog, Services
from lockstep.model.waits import FiredWait, WaitRow, Woken
from lockstep.ports.actions import Secrets
from lockstep.ports.clock import Clock
from lockstep.ports.telemetry import Traces
from lockstep.ports.walk import Checkpoints, History
from lockstep.walk import frames
from lockstep.walk.bounds import check_state
from lockstep.walk.frames import FrameFormat, RootFrame
from lockstep.walk.journal import Journal
from lockstep.walk.logger import LazyLogger
from lockstep.walk.notes import Notes
from lockstep.walk.patience import Patience
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunStatus

SHOWN: Final = 5  # of what a run waits for; of more, their number: people read it as one line
PURE_STEPS: Final = 32  # without a pause: half a millisecond at 16 us each, which nobody feels


class GivenUp(Exception):
    """The walk stops between two actions, and another worker goes on.

    The engine shuts down, or there is something in the run that this replica cannot do.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkParts:
    """What walks need of the engine."""

    checkpoints: Checkpoints
    history: History
    catalog: Catalog
    services: Services
    clock: Clock
    frames: FrameFormat = field(default_factory=FrameFormat)
    secrets: Secrets | None = None
    traces: Traces | None = None
    refresh_types: Callable[[], Awaitable[None]] | None = None
    prefix: str = "lockstep"
    step_events: bool = True
    keep_io_bytes: int = 0
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True, kw_only=True)
class Execution:
    """A run in the hands of this worker."""

    run: RunState
    program: Program
    parts: WalkParts
    root: RootFrame
    journal: Journal
    notes: Notes
    items: dict[int, list[Json]] = field(default_factory=dict)  # lists of live for_each loops
    fired: dict[UUID, FiredWait] = field(default_factory=dict)  # what no leaf has taken up yet
    wake_events: set[asyncio.Event] = field(
        default_factory=set
    )  # branches that sleep beside live ones
    heard: int = 0  # how often something has fired under way
    giving_up: bool = False
    beyond: str | None = None  # what this replica cannot do here: one that can goes on
    is_sound: bool = True  # else the run ends, and its frames say nothing of where
    base: Mapping[str, object] = field(default_factory=dict)
    log: LazyLogger = field(default_factory=LazyLogger)
    pure_steps: int = 0
    _version: int = 0
    _stored: int = -1
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def make(
        cls, run: RunState, program: Program, parts: WalkParts, root: RootFrame
    ) -> "Execution":
        """Put together the walk of a run."""
        return cls(
            run=run,
            program=program,
            parts=parts,
            root=root,
            journal=Journal(
                run,
                parts.clock,
                parts.prefix,
                step_events=parts.step_events,
                traceparent=parts.traces.traceparent(run) if parts.traces else None,
            ),
            notes=Notes(root, parts.keep_io_bytes),
            base=_base(run),
            log=LazyLogger(run_id=str(run.id), automation_id=run.automation_id),
        )

    @classmethod
    async def open(cls, run: RunState, program: Program, parts: WalkParts) -> "Execution":
        """Take up a run: from the beginning, or from its stored frames.

        Raises:
            FramesUnreadable: The stored frames are damaged or of another format.
        """
        root = parts.frames.decode(run.document) if run.document else RootFrame()
        walk = cls.make(run, program, parts, root)
        walk.fired = dict(run.fired)
        if not run.event_seq:  # it may be new and have frames: those of a run that it retries
            walk.begin()
        if not run.document:
            return walk
        loops = list(frames.loops(root.body))
        if loops:
            walk.items = dict(await parts.history.items(run.id, loops))
        walk.resume()
        return walk

    def begin(self) -> None:
        """Note the start of a run, and when its time is over."""
        run, seconds = self.run, self.program.max_duration_seconds
        if not run.event_seq:
            self.journal.event("started", "running", run.started_at)
        if seconds is not None and self.root.deadline is None:
            self.root.deadline = uuid7()
            deadline = WaitRow(
                id=self.root.deadline,
                kind="deadline",
                path="",
                waiting_for=f"run exceeded {seconds} s",
                armed_at=self.parts.clock.now(),
                due_at=run.started_at + timedelta(seconds=seconds),
            )
            self.journal.waits.append(deadline)

    def resume(self) -> None:
        """Tell that a run which slept goes on."""
        if self.root.asleep:
            self.root.asleep = False
            self.journal.event("resumed", "running", self.parts.clock.now())

    def hear(self, woken: Woken) -> None:
        """Take what has fired while the run was executed, and ring those who wait for it."""
        self.run.wakes = max(self.run.wakes, woken.wakes)
        fresh = {one: fired for one, fired in woken.fired.items() if one not in self.fired}
        if fresh:
            self.fired.update(fresh)
            self.heard += 1
            for event in self.wake_events:
                event.set()

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

    def cannot(self, why: str) -> GivenUp:
        """Note that another replica has to go on, because of this; give what ends the walk."""
        self.beyond, self.giving_up = why, True
        return GivenUp()

    async def give_up(self) -> None:
        """Store the last of it, for another worker: any, or one that can do what this cannot."""
        if self.beyond is None:
            await self.end("pending", None, None)
            return
        await self.checkpoint()
        park = partial(self.parts.history.park, self.run, self.beyond)
        await self.parts.patience.with_store(park)

    async def suspend(self) -> bool:
        """Let the run sleep: it has no owner then. False if it was woken meanwhile and goes on."""
        self.root.asleep = True
        now = self.parts.clock.now()
        self.journal.event("waiting", "waiting", now, waiting_for=self._waiting_for())
        # What is heard from here on, while this is stored, must not let it pass for known.
        known = self.run.wakes
        async with self._lock:
            wakes = await self._store("waiting", None, None, known)
        if wakes is None or wakes == known:
            return True
        self.hear(await self._fired())
        self.resume()
        return False

    async def _fired(self) -> Woken:
        ask = partial(self.parts.history.fired, [self.run.id])
        found = await self.parts.patience.with_store(ask)
        if self.run.id not in found:
            raise OwnerLost(run_id=self.run.id, epoch=self.run.epoch)
        return found[self.run.id]

    def _waiting_for(self) -> str:
        """Say what the run waits for, in the order of its actions."""
        sleeps = [sleep.waiting_for for sleep in frames.sleeps(self.root.body)]
        more = [f"{len(sleeps) - SHOWN} more"] if len(sleeps) > SHOWN else []
        return "; ".join(sleeps[:SHOWN] + more)

    async def _store(
        self, status: RunStatus, reason: str | None, error: str | None, known: int = 0
    ) -> int | None:
        covered = self._version
        document = self.parts.frames.encode(self.root) if self.is_sound else None
        deadline = self.root.deadline
        taken = self.journal.take(document, status, reason, error, deadline, known)
        taken.io = self.notes.take()
        try:
            check_state(taken)
            wakes = await self.parts.checkpoints.store(taken)
        except DataRefused:
            self.journal.refused(taken)
            raise
        self._stored = covered
        return wakes

    async def breathe(self) -> None:
        """Let others go first, now and then: a loop of pure steps must not hold the engine."""
        self.pure_steps += 1
        if self.pure_steps % PURE_STEPS == 0:
            await asyncio.sleep(0)
        if self.journal.is_full or self.notes.is_full:
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
            run.traceparent,
        ),
        "run": {"id": str(run.id)},
        "automation": {"id": run.automation_id, "name": run.automation_name},
        "now": iso(run.started_at),
    }
