"""The composition root: one engine, put together from its parts, from start to shutdown."""

import asyncio
import functools
import math
import socket
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog

from lockstep import (
    __version__,
    api,
    bus,
    checkpoint,
    children,
    definition,
    fetch,
    intake,
    matching,
    pipeline,
    probes,
    report,
    secrets,
    sources,
    store,
    timers,
    wake,
    walk,
    watching,
)
from lockstep.catalog import MemoryCatalog, Registered, ServiceBag
from lockstep.model.errors import ServerUnfit, Unavailable
from lockstep.model.ids import uuid7
from lockstep.model.messages import Message
from lockstep.model.program import Program
from lockstep.model.runs import Checkpoint, Ended, EventRow, Poison, Stored
from lockstep.model.verdicts import Verdict
from lockstep.ports import Asker, Children, Clock, HttpCaller, Meter, Publisher, Traces
from lockstep.render import Renderer
from lockstep.settings import Settings
from lockstep.waking import Waking
from lockstep_schemas.events import ACTION_DONE
from lockstep_schemas.run_events import ACTIVE

SWEEP_SECONDS: Final = 5.0
RECONCILE_SECONDS: Final = 300.0
AT_REST: Final = frozenset({"succeeded", "failed", "cancelled", "skipped", "waiting"})
OUT_OF_WINDOW: Final = timedelta(hours=1)
HOUSEKEEPING_SECONDS: Final = 60.0
HOUSEKEEPING_ROWS: Final = 5000
DRAIN_SECONDS: Final = 5.0

log = structlog.get_logger()


class Engine:
    """One replica: equal to all others, owner of the runs that it walks."""

    def __init__(
        self,
        settings: Settings,
        database: store.Store,
        connection: bus.Connection,
        catalog: MemoryCatalog,
        services: ServiceBag,
        clock: Clock | None = None,
        meter: Meter | None = None,
        traces: Traces | None = None,
    ) -> None:
        self.meter, self.traces = meter or probes.Measures(), traces
        self._stopping = asyncio.Event()
        self.settings, self.database, self.connection = settings, database, connection
        self.catalog, self.services = catalog, services
        self.id = uuid7()
        self.renderer = Renderer(catalog.filters)
        self._real_clock = store.DatabaseClock()
        self.clock: Clock = clock or self._real_clock
        self.publisher = bus.Publisher(connection)
        services.add(Publisher, self.publisher)
        services.add(Asker, bus.Asker(connection))
        self.http = fetch.Client(settings.http)
        services.add(HttpCaller, self.http)
        self.automations = store.AutomationStore(database)
        self.registered = Registered(store.TypeStore(database), catalog, connection.names.action)
        self.index = matching.Index(self.automations, self._compiled, self.registered.refresh)
        self.runs = store.RunStore(database, self.id)
        self.retention = store.Retention(database)
        self.reporter = self._make_reporter()
        self.committer = checkpoint.Committer(self.runs, self._committed)
        self.walkers = self._make_walkers()
        self.heart, self.claims = self._make_recovery()
        self.waking = Waking(
            self.id,
            settings,
            database,
            connection,
            self.clock,
            self.walkers,
            self.reporter,
            self.meter.woke,
        )
        self.judgements = store.JudgementStore(database)
        is_kept = settings.engine.judgements > 0
        self.trail = report.Trail(self.judgements, self.clock, is_kept=is_kept)
        self.pullers = [bus.Puller(connection, lane=lane) for lane in ("", *settings.nats.lanes)]
        self.intakes = self._make_intakes()
        self.endpoints = api.endpoints(self)

    def _make_reporter(self) -> report.Reporter:
        return report.Reporter(
            store.OutboxStore(self.database),
            self.publisher,
            _RunStream(self.connection),
            self.clock,
            self.settings.nats.duplicate_window_seconds,
        )

    def _make_walkers(self) -> walk.Walkers:
        parts = walk.Parts(
            checkpoints=self.committer,
            history=self.runs,
            catalog=self.catalog,
            refresh_types=self.registered.refresh,
            secrets=_resolver(self.settings, self.connection),
            services=self.services,
            traces=self.traces,
            clock=self.clock,
            prefix=self.settings.nats.prefix,
            step_events=self.settings.engine.step_events,
        )
        return walk.Walkers(parts, self.index.program, self.settings.engine.max_walks)

    def _make_recovery(self) -> tuple[wake.Heart, wake.Claims]:
        engine = self.settings.engine
        heart = wake.Heart(
            self._beat, self._real_clock.synchronise, engine.heartbeat_seconds, engine.stale_seconds
        )
        claims = wake.Claims(
            self.runs,
            self.walkers,
            heart,
            self.clock,
            self.reporter.take_over,
            engine.stale_seconds,
            engine.max_ready_runs,
            self._press,
        )
        return heart, claims

    def _committed(self, done: Checkpoint) -> None:
        """Let all hear of a checkpoint that is stored: ops, timers, the bus, the next in line."""
        self.reporter.offer(watching.committed(done, self.meter, self.traces))
        self.waking.committed(done)
        if done.status not in ACTIVE:
            self.children.run_ended(done.run)
            if done.run.gate is not None:
                self.walkers.expect_ready()

    def _ended_outside(self, ended: Sequence[Ended]) -> None:
        watching.ended_outside(ended, self.meter, self.traces)
        self.children.ended_outside(ended)

    def _press(self, is_too_much: bool) -> None:
        for taker in self.intakes:
            taker.press(is_too_much)

    def _make_intakes(self) -> list[intake.Intake]:
        engine, prefix = self.settings.engine, self.settings.nats.prefix
        decoder = intake.Decoder(self.catalog, prefix, engine.hop_limit, admitted={ACTION_DONE})
        self.way = parts = pipeline.Parts(
            decode=watching.decoding(decoder.decode, self.traces),
            transaction=store.Batches(self.database, self.id).transaction,
            index=self.index,
            events_state=lambda: self.catalog.events_state,
            walkers=self.walkers,
            endings=self.waking.endings,
            compile_filter=self.renderer.expression,
            known_steps=self.waking.waits.known_steps,
            woken=self.waking.calls.woken,
            armed=self.waking.armed,
            report=self.reporter.offer,
            note=self.trail.note,
            clock=self.clock,
            meter=self.meter,
            prefix=prefix,
        )
        self.waking.expire = functools.partial(timers.expire, parts=parts)
        self.children = children.Children(
            store.ChildStore(self.database),
            parts,
            self.catalog,
            self.waking.endings.cancel,
            engine.hop_limit,
        )
        self.waking.ended_outside = self._ended_outside
        self.services.add(Children, self.children)
        leases = store.SourceStore(self.database, self.id, engine.stale_seconds)
        self.sources = sources.Sources(leases, self.catalog, parts)
        letters = bus.DeadLetters(self.connection, self.publisher)

        async def receive(batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
            return await pipeline.receive(batch, parts)

        return [
            intake.Intake(
                puller,
                watching.receiving(receive, self.traces),
                letters,
                self.database.ping,
                self.database,
                engine.batch_size,
                self.meter,
            )
            for puller in self.pullers
        ]

    def is_due(self, now: datetime) -> bool:
        """Say whether something is due at this worker that has not been fired."""
        return self.waking.is_behind(now)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Ask the engine to end in good order."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Take events until asked to stop, or until the bus is lost for good.

        Raises:
            Unavailable: The bus closed the connection; start the engine again.
        """
        await self.heart.once()
        await self.index.at_least(0)
        async with self.http, asyncio.TaskGroup() as group:
            background = [group.create_task(part) for part in self._background()]
            await self.walkers.started()
            service = bus.Service(
                self.connection,
                version=__version__,
                endpoints=self.endpoints,
                metadata={"worker": str(self.id)},
                answered=functools.partial(watching.answered, meter=self.meter),
            )
            await service.start()
            await self.waking.listen()
            for puller in (*self.pullers, *self.waking.pullers):
                await puller.start()
            loops = [*(taker.run for taker in self.intakes), *self.waking.loops, self.claims.run]
            loops.append(self.sources.run)
            taking = [group.create_task(run()) for run in loops]
            log.info("engine.started", worker=str(self.id), version=__version__)
            if ready:
                ready()
            lost = await self._stopped()
            await service.stop()
            await self._shut_down(taking)
            for task in background:
                task.cancel()
        await self.runs.retire()
        with suppress(Unavailable):  # it is a hint only
            await self.waking.worker_keys.drop(self.id)
        log.info("engine.stopped", worker=str(self.id))
        if lost is not None:
            raise Unavailable(f"the connection to NATS is lost for good: {lost}")

    def _background(self) -> list[Coroutine[None, None, None]]:
        return [
            self.walkers.run(),
            self.committer.run(),
            self.reporter.run(),
            self.heart.run(),
            self.trail.run(),
            self.waking.mirror.run(),
            self.children.run(),
            self._every(self.settings.engine.heartbeat_seconds, self._renew_key),
            self._watch_workers(),
            *(self._every(SWEEP_SECONDS, sweep) for sweep in self.waking.sweeps),
            self._every(RECONCILE_SECONDS, self.waking.reconcile),
            self._every(SWEEP_SECONDS, self.reporter.sweep),
            self._every(SWEEP_SECONDS, self.children.sweep),
            self._every(SWEEP_SECONDS, self.index.refresh),
            self._every(HOUSEKEEPING_SECONDS, self._keep_house),
            self._every(HOUSEKEEPING_SECONDS, self._forget_runs),
        ]

    async def _stopped(self) -> str | None:
        """Wait for the end; say why where it is the bus that ended."""
        closed = asyncio.create_task(self.connection.closed.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({closed, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return self.connection.closed_reason if closed.done() else None
        finally:
            closed.cancel()
            stopping.cancel()

    async def _shut_down(self, taking: list[asyncio.Task[None]]) -> None:
        """Stop fetching, let walks reach their next checkpoint, publish what is committed."""
        if self.connection.healthy:
            for puller in (*self.pullers, *self.waking.pullers):
                await puller.stop()
            # A batch in work is finished: cut off in its commit, its runs would be nobody's.
            await asyncio.wait(taking[: len(self.intakes)], timeout=DRAIN_SECONDS)
        for task in taking:
            task.cancel()
        await asyncio.wait(taking)
        left = await self.walkers.give_up(self.settings.engine.grace_seconds)
        if left:
            log.warning("runs.left", runs=left)
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.reporter.drained()
        except TimeoutError:
            log.warning("outbox.delayed", error="not all run events were sent; others will")

    async def _beat(self) -> datetime:
        return await self.runs.heartbeat(socket.gethostname(), __version__)

    async def _renew_key(self) -> None:
        """Show on the bus that this worker lives; the row in the store is the proof."""
        body = msgspec.json.encode({"host": socket.gethostname(), "version": __version__})
        seconds = max(1, math.ceil(self.settings.engine.stale_seconds))
        await self.waking.worker_keys.renew(self.id, body, seconds)

    async def _watch_workers(self) -> None:
        """Look for runs to adopt at once when the key of a worker is gone."""
        while True:
            try:
                async with self.waking.worker_keys.expiries() as gone:
                    async for _ in gone:
                        self.claims.hint()
                        self.waking.look()
            except (Unavailable, ServerUnfit) as error:
                log.warning("bus.unreachable", reason=str(error), next="without it a second later")
            await asyncio.sleep(SWEEP_SECONDS)

    async def _keep_house(self) -> None:
        await self.database.forget_receipts(self.settings.engine.receipts_hours, HOUSEKEEPING_ROWS)
        await self.runs.forget_workers()
        before = self.clock.now() - OUT_OF_WINDOW
        await self.judgements.forget(self.settings.engine.judgements, before, HOUSEKEEPING_ROWS)

    async def _forget_runs(self) -> None:
        days = self.settings.engine.keep_runs_days
        if days:
            forgotten = await self.retention.forget(self.clock.now() - timedelta(days=days))
            if forgotten:
                log.info("runs.forgotten", runs=forgotten)

    async def _every(self, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await job()
            except Unavailable as error:
                log.warning("store.unavailable", error=str(error))
            await asyncio.sleep(seconds)

    def _compiled(self, stored: Stored) -> Program:
        made = definition.compile_program(definition.parse(stored.definition), self.renderer)
        return replace(made, config_versions=stored.config_versions)


def _resolver(settings: Settings, connection: bus.Connection) -> secrets.Resolver:
    wanted = settings.secrets
    sources: list[secrets.Source] = [secrets.Environment(wanted.environment_prefix)]
    if wanted.folder:
        sources.append(secrets.Folder(Path(wanted.folder)))
    if wanted.bus:
        subject = connection.names.secret
        sources.append(secrets.Bus(bus.Asker(connection), subject, wanted.timeout_seconds))
    return secrets.Resolver(sources)


class _RunStream:
    """See `report.Stream`."""

    def __init__(self, connection: bus.Connection) -> None:
        self._connection = connection

    async def holds(self, row: EventRow, since: datetime) -> bool:
        stream = self._connection.names.runs_stream
        return await bus.find(self._connection, stream, row.subject, row.message_id, since)
