"""The world that cases run in: real servers, whole engines, a clock that is moved."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from lockstep import bus, control, store
from lockstep.bus import api
from lockstep.cases.api_calls import BusEvent
from lockstep.cases.expect import Seen
from lockstep.cases.format import STARTS_AT, PublishEntry, StoredAutomation
from lockstep.cases.operations import CaseRefused
from lockstep.catalog import (
    Recorder,
    ServiceBag,
    Sleeper,
    build_catalog,
    load_plugins,
)
from lockstep.control.errors import InvalidDefinition
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Assembly, Seams
from lockstep.engine.services import table
from lockstep.model.errors import InternalError
from lockstep.model.types import ActionType
from lockstep.settings.structs import Settings
from lockstep.testbed.clock import CaseClock
from lockstep.testbed.seams import StreamTimes, TakenMessages, as_ours
from lockstep.testbed.stubs import Stubs
from lockstep_schemas.api import Fault, RunDetail, RunsList
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import HEADER_ACTOR, HEADER_CONTEXT_KEY, HEADER_MESSAGE_ID

REQUEST_SECONDS: Final = 60.0  # far more than a busy machine takes: it only ends what hangs
# Without progress and with all queries answered, after which sleeping runs count as asleep. They
# are counted, not timed: a machine that is busy with other things only looks less often.
CALM_LOOKS: Final = 20
# Each rest takes `CALM_LOOKS` of them, so a case is over in milliseconds.
LOOK_SECONDS: Final = 0.0005
RUNS: Final = 200  # as many as the API gives at once; a case has some ten
TOLD_SECONDS: Final = 10.0  # what is told comes in milliseconds; only what is missing takes this


class CaseWorld:
    """See `cases.runner.World`."""

    def __init__(self, settings: Settings, database: store.Store, client: bus.Connection) -> None:
        self._settings, self._database, self._client = settings, database, client
        self.clock, self.recorder = CaseClock(), Recorder()
        self.stubs = Stubs()
        self._engines: list[_Running] = []
        self._views, self._automations = store.RunViews(database), store.AutomationStore(database)
        self._publisher = bus.Publisher(client)
        self._times = StreamTimes(self.clock)
        self._taken = TakenMessages(self._times)
        self._bus_events: list[BusEvent] = []
        self._heard = asyncio.Event()
        self._number, self._instances = 0, 1

    async def begin(
        self, stubs: Mapping[str, Json], instances: int, starts_at: datetime = STARTS_AT
    ) -> None:
        """See `cases.runner.World`."""
        self._number, self._instances = self._number + 1, instances
        self.clock.set(starts_at)
        self.stubs.begin(stubs)
        if any(running.is_over for running in self._engines):
            await self.abandon()
        if not self._engines:
            await self._drop_events()
        await self._forget()
        self._clear_records()
        self._taken.clear()
        self._bus_events.clear()
        while len(self._engines) > instances:
            await self._engines.pop().stop()
        for running in self._engines:
            self.stubs.put(running.assembly.knowledge.catalog)
        await self.start()

    async def abandon(self) -> None:
        """See `cases.runner.World`."""
        self.clock.drop()
        while self._engines:
            await self._engines.pop().abandon()

    async def _forget(self) -> None:
        """Delete all rows, and those that the case before was about to write."""
        await self._database.forget_all()
        for running in self._engines:
            running.assembly.loops.wakeups.forget()
        await self._quiet()
        await self._database.forget_all()

    async def store(self, automation: StoredAutomation) -> None:
        """Store an automation. Raise CaseRefused."""
        definition = automation.definition
        name = definition.get("name") if isinstance(definition, dict) else None
        await self.call(
            "automations.create",
            id=automation.id,
            name=automation.name or (name if isinstance(name, str) and name else automation.id),
            status=automation.status,
            definition=definition,
        )

    async def call(self, endpoint: str, **request: object) -> Json:
        """Call the control API. Raise CaseRefused."""
        client = bus.ApiClient(self._client)
        reply = await client.request(endpoint, msgspec.json.encode(request), REQUEST_SECONDS)
        if reply.error_code >= "500":  # no answer to the case: the engine is not well
            raise InternalError(msgspec.json.decode(reply.body, type=Fault).message)
        if reply.error_code:
            fault = msgspec.json.decode(reply.body, type=Fault)
            # Of other requests the places are not those of a definition.
            is_definition = fault.error == InvalidDefinition.code
            raise CaseRefused(fault.message, (is_definition and fault.issues) or ())
        return msgspec.json.decode(reply.body)

    @property
    def endpoints(self) -> frozenset[str]:
        """What the engine answers to."""
        return frozenset(control.table())

    def lend(self, kind: ActionType) -> None:
        """Let the engines have an action for the time of this case."""
        for running in self._engines:
            self.stubs.lend(running.assembly.knowledge.catalog, kind)

    async def ask(self, endpoint: str, request: JsonObject) -> tuple[Json, bool]:
        """See `cases.api_calls.ApiWorld`."""
        self._bus_events.clear()
        client = bus.ApiClient(self._client)
        reply = await client.request(endpoint, msgspec.json.encode(request), REQUEST_SECONDS)
        return msgspec.json.decode(reply.body), bool(reply.error_code)

    async def bus_events(self, what: str) -> Sequence[BusEvent]:
        """See `cases.api_calls.ApiWorld`."""
        try:
            async with asyncio.timeout(TOLD_SECONDS):
                while not any(one.what == what for one in self._bus_events):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            pass  # the case says that it is missing
        return list(self._bus_events)

    async def listen(self, feed: bus.Feed) -> None:
        """Note what the bus carries, until cancelled."""
        async for note in feed:
            event = msgspec.json.decode(note.body)
            self._bus_events.append(
                BusEvent(note.subject.rpartition(".")[2], event.get("data", {}))
            )
            self._heard.set()

    async def publish(self, entry: PublishEntry, name: str) -> None:
        """Publish an event; the context key is always said."""
        headers = {
            HEADER_MESSAGE_ID: self._message_id(name),
            HEADER_CONTEXT_KEY: entry.context_key or "",
        }
        if entry.actor is not None:
            headers[HEADER_ACTOR] = msgspec.json.encode(entry.actor).decode()
        subject = self._client.names.trigger(entry.event)
        await self._publisher.publish(subject, msgspec.json.encode(entry.payload), headers)

    async def redeliver(self, name: str) -> None:
        """See `cases.operations.OperatorWorld`."""
        message = self._taken.find(self._message_id(name))
        if message is None:
            raise CaseRefused(f"redeliver: entry {name} has published nothing")
        await self._engines[-1].assembly.pipelines.events.receive([message])

    async def stop(self) -> None:
        """Stop all engines."""
        await self.close()

    async def start(self) -> None:
        """Have as many engines as the case wants."""
        while len(self._engines) < self._instances:
            await self._start()
        await self._quiet()

    async def sweep(self, heartbeat_age_seconds: float, *, mark_running: bool) -> None:
        """See `cases.operations.OperatorWorld`."""
        if mark_running:
            await self._database.mark_running()
        await self._beat()
        for running in self._engines:
            running.assembly.basis.roster.age(heartbeat_age_seconds)
        await self._beat()  # so that those who live are seen to
        for running in self._engines:
            running.assembly.loops.claims.look()
            await running.assembly.loops.claims.tick()
            await running.assembly.loops.wakeups.sweep()
        await self._quiet()

    async def _beat(self) -> None:
        for running in self._engines:
            await running.assembly.loops.heartbeat.once()

    async def lose_state(self) -> None:
        """See `cases.operations.OperatorWorld`."""
        await self._database.lose_frames()

    async def advance(self, seconds: float) -> None:
        """See `cases.runner.World`."""
        await self.clock.advance(seconds, self._quiet)

    async def seen(self) -> Seen:
        """Say what the engines have done since the case began."""
        runs = (await self._views.page(RunsList(limit=RUNS), None)).runs
        details = [
            RunDetail(
                run=run,
                steps=await self._views.steps(UUID(run.id)),
                artifacts=await self._views.artifacts(UUID(run.id)),
                waits=await self._views.waits(UUID(run.id)),
            )
            for run in reversed(runs)
        ]
        pinned = {(run.automation_id, run.version) for run in runs}
        stored = await self._automations.definitions(sorted(pinned))
        return Seen(
            runs=details,
            definitions={key: one.definition for key, one in stored.items()},
            recorded=[(call.run_id, call.value) for call in self.recorder.records],
            consumed=list(self.recorder.consumed),
            calls=list(self.stubs.calls),
            action_calls=len(self.recorder.calls) + len(self.stubs.calls),
        )

    async def close(self) -> None:
        """Stop all engines."""
        self.clock.drop()
        while self._engines:
            await self._engines.pop().stop()

    def _clear_records(self) -> None:
        for kept in (self.recorder.calls, self.recorder.records, self.recorder.consumed):
            kept.clear()

    def _message_id(self, name: str) -> str:
        return f"case-{self._number}-{name}"

    async def _start(self) -> None:
        catalog = build_catalog(True, with_stubs=True, prefix=self._settings.nats.prefix)
        load_plugins(catalog)
        services = ServiceBag().add(Recorder, self.recorder).add(Sleeper, self.clock)
        connection = await bus.connect(self._settings.nats)
        running = _Running(
            build(self._settings, self._database, connection, catalog, services, self._seams())
        )
        self._engines.append(running)
        self.stubs.put(running.assembly.knowledge.catalog)
        await running.start()

    def _seams(self) -> Seams:
        return Seams(
            clock=self.clock, told=as_ours, stamp=self._times.stamp, source=self._taken.around
        )

    async def _quiet(self) -> None:
        """Return when no event is in flight and no step can run now; at once if no engine runs."""
        if not self._engines:
            await self._backlog()
            return
        while True:
            await self._calm()
            before = self._progress()
            if await self._backlog() or await self._database.is_unsettled(self.clock.reached):
                await asyncio.sleep(LOOK_SECONDS)
            elif self._progress() == before:
                return

    async def _calm(self) -> None:
        """Return when nothing runs, or what runs sleeps and has done nothing for a while."""
        looks, before = 0, self._progress()
        while self._is_busy():
            await asyncio.sleep(LOOK_SECONDS)
            now, looks = self._progress(), looks + 1
            if now != before or self._in_flight() or self._is_asking():
                looks, before = 0, now
            elif looks > CALM_LOOKS and self._active() <= self.clock.runs_asleep:
                return

    def _is_asking(self) -> bool:
        """Whether PostgreSQL has not answered yet: however long that takes, it is no rest."""
        return self._database.is_busy

    def _is_busy(self) -> bool:
        behind = any(
            running.assembly.hearing.places.is_behind
            or running.assembly.loops.wakeups.is_behind(self.clock.reached)
            for running in self._engines
        )
        return bool(self._in_flight() or self._active() or behind)

    def _in_flight(self) -> int:
        return sum(running.assembly.loops.lanes[0].puller.in_flight for running in self._engines)

    def _active(self) -> int:
        return sum(running.assembly.hearing.places.active for running in self._engines)

    def _progress(self) -> tuple[int, ...]:
        done = sum(running.assembly.loops.committer.committed for running in self._engines)
        calls = len(self.recorder.calls) + len(self.stubs.calls)
        return done, calls, self.clock.sleeping, self._in_flight(), self._active()

    async def _backlog(self) -> int:
        """Count the events that are not handled: a work queue holds them until then.

        What has come is noted as stored now. The counters of the consumer are no help: they follow
        what is published a moment later.
        """
        info = await api.call(self._client, f"STREAM.INFO.{self._client.names.triggers_stream}")
        self._times.reach(int(info["state"]["last_seq"]))
        return int(info["state"]["messages"])

    async def _drop_events(self) -> None:
        """Forget what a case has left in the stream: one that ended with no engine there."""
        await api.call(self._client, f"STREAM.PURGE.{self._client.names.triggers_stream}")


class _Running:
    """One engine, running."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.engine = Engine(assembly, table(assembly))
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(self.engine.run(self._ready.set))

    async def start(self) -> None:
        """Return when events are taken."""
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    @property
    def is_over(self) -> bool:
        """Whether it has ended though nobody asked it to."""
        return self._task.done()

    async def abandon(self) -> None:
        """End at once, whatever it does or waits for."""
        self._task.cancel()
        await asyncio.wait({self._task})
        await self.assembly.edge.connection.close()

    async def stop(self) -> None:
        """End in good order."""
        self.engine.stop()
        await self._task
        await self.assembly.edge.connection.close()
