"""A walk without a bus: a real store, the stub actions, and a worker that can be killed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from lockstep import launch, store, wake, walk
from lockstep.catalog import MemoryCatalog, Recorder, ServiceBag, build_catalog
from lockstep.definition.compile import compile_program
from lockstep.definition.stored import parse
from lockstep.model.admissions import Admission
from lockstep.model.automations import Automation
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.program import Program, TriggerRule
from lockstep.model.runs import Checkpoint, OwnerLost, RunState
from lockstep.model.waits import Awaited
from lockstep.pipeline import JudgingPace
from lockstep.ports.walk import Checkpoints
from lockstep.render import Renderer
from lockstep.testbed.clock import CaseClock
from lockstep.walk import Execution
from lockstep_schemas.events import Actor

Json = dict[str, Any]
TOGETHER = timedelta(seconds=0.5)


class Killed(BaseException):
    """The process dies here: nothing in memory is left, no handler runs."""


@dataclass
class StoredMessage:
    """A message as intake leaves it behind."""

    subject: str = "lockstep.trigger.e"
    data: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    stream: str = "S"
    sequence: int = 1
    stored_at_ns: int = 0
    deliveries: int = 1


@dataclass
class KilledAt:
    """Checkpoints that die at the nth write: before it is committed, or right after."""

    inner: Checkpoints
    at: int
    after: bool
    writes: int = 0

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """Count, store, and die where it is time."""
        self.writes += 1
        if self.writes > self.at or (self.writes == self.at and not self.after):
            raise Killed
        wakes = await self.inner.store(checkpoint)
        if self.writes == self.at:
            raise Killed
        return wakes


@dataclass
class StoreFixture:
    """A store with runs in it."""

    database: store.Store
    catalog: MemoryCatalog
    recorder: Recorder
    services: ServiceBag
    clock: CaseClock = field(default_factory=CaseClock)
    renderer: Renderer = field(default_factory=Renderer)
    sequence: int = 0

    def program(self, raw: Json) -> Program:
        """Compile a definition."""
        return compile_program(parse(raw), self.renderer)

    def worker(self) -> store.RunStore:
        """A worker that nobody has heard of: its runs can be adopted at once."""
        return store.RunStore(self.database, uuid7())

    async def launch(self, program: Program, payload: Json, key: str | None = None) -> RunState:
        """Insert a run that a worker owns which is never seen again."""
        event = self.event("e", payload, key)
        trigger = TriggerRule(id="e", event="e", filter=None, config={})
        automation = Automation(id="lab", name="lab", version=1, position=1, program=program)
        batches = store.Batches(self.database, uuid7())
        async with batches.transaction() as tx:
            (new_run,) = await launch.create(
                [Admission(TriggerMatch(event, automation, trigger))], 1, self.clock.now(), tx
            )
        return launch.state(new_run)

    async def retry(self, run_id: UUID, program: Program) -> RunState:
        """Insert a run that goes on where this one failed, for a worker that is not seen again."""
        batches = store.Batches(self.database, uuid7())
        past = await batches.run_to_retry(run_id)
        assert past is not None
        assert past.document is not None, "what it stood at was not kept"
        async with batches.transaction() as tx:
            trigger = TriggerRule(id="e", event="e", filter=None, config={})
            automation = Automation(id="lab", name="lab", version=1, position=1, program=program)
            frames = walk.FrameFormat()
            match = TriggerMatch(
                past.event, automation, trigger, walk.revive(run_id, past.document, frames)
            )
            (new_run,) = await launch.create([Admission(match)], 1, self.clock.now(), tx)
        return launch.state(new_run)

    def event(self, event_id: str, payload: Json, key: str | None = None) -> Event:
        """Make an event as intake hands it on, stored now."""
        self.sequence += 1
        return Event(
            id=event_id,
            payload=payload,
            body=json.dumps(payload).encode(),
            delivery=f"S:{self.sequence}:0",
            message_id=None,
            context_key=key,
            actor=Actor(),
            hop=0,
            time=self.clock.now(),
            sequence=self.sequence,
            message=StoredMessage(sequence=self.sequence),
        )

    async def deliver(self, *events: Event) -> None:
        """Let events satisfy what waits for them, as the pipeline does."""
        now = self.clock.now()
        async with store.Batches(self.database, uuid7()).transaction() as tx:
            waits = wake.Correlation(self.renderer.expression, JudgingPace(str))
            last: Awaited | None = None
            while last is None or last.follows:
                awaited = await tx.awaited(events, last)
                if not awaited:
                    break
                await waits.prepare(events, awaited)
                last = awaited[-1]
            standing = await tx.standing(events)
            found = await waits.satisfied(events, standing.armed, tx)
            assert found is not None, "a wait was not judged"
            await tx.fire([(one.wait.id, one.event.body) for one in found], now)

    async def pass_time(self, run_id: UUID) -> bool:
        """Let time pass until something of a sleeping run is due; False if nothing ever is."""
        rows = await self.rows(
            "select id, due_at from waits where run_id = $1 and state = 'armed'", run_id
        )
        due = sorted((row["due_at"], row["id"]) for row in rows if row["due_at"] is not None)
        if not due:
            return False
        # What is due at about the same moment is woken together, whatever the microseconds.
        until = due[0][0] + TOGETHER
        self.clock.skip(max(0.0, (until - self.clock.time).total_seconds()))
        waits = store.WaitStore(self.database, uuid7())
        await waits.fire_due([one for _, one in due], self.clock.now())
        return True

    async def claim(self, run_id: UUID) -> RunState | None:
        """Take a run up that is ready, as claims do."""
        ready, _ = await self.worker().claim_ready(10, self.clock.now())
        found = [run for run in ready if run.id == run_id]
        return found[0] if found else None

    async def adopt(self, worker: store.RunStore, run_id: UUID) -> RunState:
        """Take the run over, as recovery does."""
        (run,) = [run for run in await worker.adopt(10, []) if run.id == run_id]
        return run

    async def walk(self, run: RunState, program: Program, checkpoints: Checkpoints) -> None:
        """Walk a run to its end, or until it is killed."""
        await walk.walk_run(await self.execution(run, program, checkpoints))

    async def execution(
        self, run: RunState, program: Program, checkpoints: Checkpoints
    ) -> Execution:
        """Take up a run, to be walked."""
        parts = walk.WalkParts(
            checkpoints=checkpoints,
            history=self.worker(),
            catalog=self.catalog,
            services=self.services,
            clock=self.clock,
        )
        return await Execution.open(run, program, parts)

    async def steps(self, run_id: UUID) -> dict[str, tuple[str, str | None]]:
        """Status and error by path; a path that has two rows fails the test."""
        rows = await self.rows(
            "select action_path, status, error_message from run_steps where run_id = $1", run_id
        )
        found = {row["action_path"]: (row["status"], row["error_message"]) for row in rows}
        assert len(found) == len(rows), "a path has two step rows"
        return found

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        """Look into the tables."""
        async with self.database.connection() as connection:
            return list(await connection.fetch(query, *arguments))


class Alone:
    """Checkpoints without company: each is a commit of its own."""

    def __init__(self, worker: store.RunStore) -> None:
        self._worker = worker

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """See `ports.walk.Checkpoints`."""
        run = checkpoint.run
        committed = await self._worker.checkpoint([checkpoint])
        if run.id not in committed:
            raise OwnerLost(run_id=run.id, epoch=run.epoch)
        return committed[run.id]


@asynccontextmanager
async def store_fixture(dsn: str) -> AsyncIterator[StoreFixture]:
    """Open a fixture on a migrated database."""
    database = await store.Store.connect(dsn, 4)
    try:
        recorder, services = Recorder(), ServiceBag()
        services.add(Recorder, recorder)
        yield StoreFixture(database, build_catalog(open=True, with_stubs=True), recorder, services)
    finally:
        await database.close()
