"""The world that cases run in: real servers, whole engines, a clock that is moved."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec

from lockstep import app, bus, store
from lockstep.bus import api
from lockstep.cases.api_calls import Told
from lockstep.cases.clock import CaseClock
from lockstep.cases.expect import Seen
from lockstep.cases.format import Publish, StoredAutomation
from lockstep.cases.operations import CaseRefused
from lockstep.cases.stubs import Stubs
from lockstep.catalog import (
    MemoryCatalog,
    Recorder,
    ServiceBag,
    Sleeper,
    build_catalog,
    load_plugins,
)
from lockstep.model.catalog import ActionType
from lockstep.model.messages import Message
from lockstep.model.runs import Poison
from lockstep.model.verdicts import Verdict
from lockstep.settings import Settings
from lockstep_schemas.api import Fault, RunDetail, RunsList
from lockstep_schemas.base import Json, JsonObject
from lockstep_schemas.events import HEADER_ACTOR, HEADER_CONTEXT_KEY, HEADER_MESSAGE_ID

REQUEST_SECONDS: Final = 10.0
CALM_SECONDS: Final = 0.01  # without progress, after which sleeping runs count as asleep
RUNS: Final = 200
TOLD_SECONDS: Final = 2.0


class CaseWorld:
    """See `cases.runner.World`."""

    def __init__(self, settings: Settings, database: store.Store, client: bus.Connection) -> None:
        self._settings, self._database, self._client = settings, database, client
        self.clock, self.recorder = CaseClock(), Recorder()
        self.stubs = Stubs()
        self._engines: list[_Running] = []
        self._views = store.RunViews(database)
        self._publisher = bus.Publisher(client)
        self._taken: dict[str, Message] = {}
        self._told: list[Told] = []
        self._heard = asyncio.Event()
        self._number = 0

    async def begin(self, stubs: Mapping[str, Json], instances: int) -> None:
        """Forget the case before; have so many workers, and these stubs."""
        self._number += 1
        self.clock.drop()
        self.stubs.clear()
        await self._database.forget_all()
        for running in self._engines:
            running.engine.waking.forget()
        self._clear_records()
        self._taken.clear()
        self._told.clear()
        while len(self._engines) < instances:
            await self._start()
        while len(self._engines) > instances:
            await self._engines.pop().stop()
        for running in self._engines:
            self.stubs.put(running.engine.catalog, stubs)
        await self._quiet()

    async def store(self, automation: StoredAutomation) -> None:
        """Store an automation. Raise CaseRefused."""
        definition = automation.definition
        name = definition.get("name") if isinstance(definition, dict) else None
        await self.call(
            "automations.create",
            id=automation.id,
            name=name if isinstance(name, str) and name else automation.id,
            status=automation.status,
            definition=definition,
        )

    async def call(self, endpoint: str, **request: object) -> Json:
        """Call the control API. Raise CaseRefused."""
        client = bus.Client(self._client)
        reply = await client.request(endpoint, msgspec.json.encode(request), REQUEST_SECONDS)
        if reply.error_code:
            raise CaseRefused(msgspec.json.decode(reply.body, type=Fault).message)
        return msgspec.json.decode(reply.body)

    @property
    def endpoints(self) -> frozenset[str]:
        """What the engine answers to."""
        return frozenset(self._engines[0].engine.endpoints)

    def lend(self, kind: ActionType) -> None:
        """Let the engines have an action for the time of this case."""
        for running in self._engines:
            self.stubs.lend(running.engine.catalog, kind)

    async def ask(self, endpoint: str, request: JsonObject) -> tuple[Json, bool]:
        """Call an endpoint; give its body, and whether it is an error."""
        self._told.clear()
        client = bus.Client(self._client)
        reply = await client.request(endpoint, msgspec.json.encode(request), REQUEST_SECONDS)
        return msgspec.json.decode(reply.body), bool(reply.error_code)

    async def told(self, what: str) -> Sequence[Told]:
        """Wait shortly for an event of this kind; give all since the last call."""
        try:
            async with asyncio.timeout(TOLD_SECONDS):
                while not any(one.what == what for one in self._told):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            pass  # the case says that it is missing
        return list(self._told)

    async def listen(self, feed: bus.Feed) -> None:
        """Note what the bus carries, until cancelled."""
        async for note in feed:
            event = msgspec.json.decode(note.body)
            self._told.append(Told(note.subject.rpartition(".")[2], event.get("data", {})))
            self._heard.set()

    async def publish(self, entry: Publish, name: str) -> None:
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
        """Deliver an event again: the very same message."""
        message = self._taken.get(self._message_id(name))
        if message is None:
            raise CaseRefused(f"redeliver: entry {name} has published nothing")
        await self._engines[-1].engine.intakes[0].receive([message])

    async def restart(self, down_seconds: float) -> None:
        """Stop the engines and start as many again."""
        count = len(self._engines)
        await self.close()
        self.clock.skip(down_seconds)
        for _ in range(count):
            await self._start()
        await self._quiet()

    async def sweep(self, heartbeat_age_seconds: float, *, mark_running: bool) -> None:
        """Let workers look dead, or runs look executed; one recovery pass follows."""
        if mark_running:
            await self._database.mark_running()
        alive = [running.engine.id for running in self._engines]
        await self._database.age_workers(heartbeat_age_seconds, alive)
        for running in self._engines:
            running.engine.claims.hint()
            await running.engine.claims.tick()
            for sweep in running.engine.waking.sweeps:
                await sweep()
        await self._quiet()

    async def lose_state(self) -> None:
        """Do damage: the saved state of all runs is gone."""
        await self._database.lose_frames()

    async def advance(self, seconds: float) -> None:
        """Let engine seconds pass, and wait until the engine is idle."""
        await self.clock.advance(seconds, self._quiet)

    async def seen(self) -> Seen:
        """Say what the engines have done since the case began."""
        runs, _, _ = await self._views.page(RunsList(limit=RUNS), None)
        details = [
            RunDetail(
                run=run,
                steps=await self._views.steps(UUID(run.id)),
                artifacts=await self._views.artifacts(UUID(run.id)),
                waits=await self._views.waits(UUID(run.id)),
            )
            for run in reversed(runs)
        ]
        return Seen(
            runs=details,
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
        running = _Running(self._settings, catalog)
        self._engines.append(running)
        await running.start(services, self.clock, self._database)
        self._tap(running.engine)

    def _tap(self, engine: app.Engine) -> None:
        """Keep what is taken from the stream, to deliver it again."""
        inner = engine.intakes[0].receive

        async def receive(batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
            for message in batch:
                key = message.headers.get(HEADER_MESSAGE_ID, "")
                if key not in self._taken:
                    stamp(message, self.clock)
                self._taken[key] = message
            return await inner(batch)

        engine.intakes[0].receive = receive

    async def _quiet(self) -> None:
        """Return when no event is in flight and no step can run now."""
        while True:
            await self._calm()
            before = self._progress()
            if not await self._backlog() and self._progress() == before:
                return

    async def _calm(self) -> None:
        """Return when nothing runs, or what runs sleeps and has done nothing for a while."""
        still_since, before = time.monotonic(), self._progress()
        while self._is_busy():
            await asyncio.sleep(0.0005)
            now = self._progress()
            if now != before or self._held():
                still_since, before = time.monotonic(), now
            elif self.clock.sleeping and time.monotonic() - still_since > CALM_SECONDS:
                return

    def _is_busy(self) -> bool:
        behind = any(
            running.engine.walkers.is_behind or running.engine.is_due(self.clock.time)
            for running in self._engines
        )
        return bool(self._held() or self._active() or behind)

    def _held(self) -> int:
        return sum(running.engine.pullers[0].held for running in self._engines)

    def _active(self) -> int:
        return sum(running.engine.walkers.active for running in self._engines)

    def _progress(self) -> tuple[int, ...]:
        done = sum(running.engine.committer.committed for running in self._engines)
        calls = len(self.recorder.calls) + len(self.stubs.calls)
        return done, calls, self.clock.sleeping, self._held(), self._active()

    async def _backlog(self) -> int:
        """Count the events that are not handled: a work queue holds them until then.

        The counters of the consumer are no help: they follow what is published a moment later.
        """
        info = await api.call(self._client, f"STREAM.INFO.{self._client.names.triggers_stream}")
        return int(info["state"]["messages"])


def stamp(message: Message, clock: CaseClock) -> None:
    """Let a message have been stored now, as the clock of the case has it."""
    message.stored_at_ns = round(clock.now().timestamp() * 1e9)  # type: ignore[misc] # a Delivery


class _Running:
    """One engine, running."""

    def __init__(self, settings: Settings, catalog: MemoryCatalog) -> None:
        self._settings, self._catalog = settings, catalog

    async def start(
        self,
        services: ServiceBag,
        clock: CaseClock,
        database: store.Store,
    ) -> None:
        """Connect, and return when events are taken."""
        self._connection = await bus.connect(self._settings.nats)
        self.engine = app.Engine(
            self._settings, database, self._connection, self._catalog, services, clock
        )
        ready = asyncio.Event()
        self._task = asyncio.create_task(self.engine.run(ready.set))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            await self._task

    async def stop(self) -> None:
        """End in good order."""
        self.engine.stop()
        await self._task
        await self._connection.close()
