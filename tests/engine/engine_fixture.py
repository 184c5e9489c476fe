"""A whole engine: publish events, wait for runs to end, look at what they did."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

import contract_check
from lockstep import bus
from lockstep.catalog import MemoryCatalog, Recorder, Registry, ServiceBag, build_catalog
from lockstep.control import Endpoint
from lockstep.engine import control_api
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Assembly, Seams
from lockstep.engine.serve import open_store
from lockstep.engine.services import table
from lockstep.model.errors import BusUnavailable
from lockstep.settings.structs import EngineSettings, PostgresSettings, Settings
from lockstep_schemas import api
from lockstep_schemas.events import HEADER_CONTEXT_KEY
from lockstep_schemas.run_events import RunEvent
from patience import LIMIT_SECONDS, patience, until

FINAL = {"succeeded", "failed", "cancelled", "skipped"}
_ids = count(1)
MAKE_DUE = """
    update waits set due_at = clock_timestamp() - interval '1 second'
     where run_id = $1 and state = 'armed' and due_at is not null
"""

Json = dict[str, Any]
Plugin = Callable[[Registry], None]


def settings_of(nats_url: str, dsn: str, prefix: str, **engine: object) -> Settings:
    """Settings of a test engine: quick to notice a dead worker, stub actions, open catalog."""
    wanted: Json = {"catalog": "open", "stub_actions": True, **engine}
    return Settings(
        nats=bus.BusSettings(servers=[nats_url], prefix=prefix, storage="memory"),
        postgres=PostgresSettings(dsn=dsn),
        engine=EngineSettings(**wanted),
    )


def variables_of(settings: Settings) -> dict[str, str]:
    """What a command has in its environment to find the engine of these settings."""
    return {
        "LOCKSTEP_NATS__SERVERS": settings.nats.servers[0],
        "LOCKSTEP_NATS__STORAGE": settings.nats.storage,
        "LOCKSTEP_NATS__PREFIX": settings.nats.prefix,
        "LOCKSTEP_POSTGRES__DSN": settings.postgres.dsn,
    }


@dataclass
class EngineFixture:
    """One engine, a client of its API, and what the bus said of its runs."""

    settings: Settings
    engine: Engine
    connection: bus.Connection
    recorder: Recorder
    events: dict[str, list[RunEvent]] = field(default_factory=dict)  # by automation id
    _heard: set[str] = field(default_factory=set)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def assembly(self) -> Assembly:
        """What the engine is made of."""
        return self.engine.assembly

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The handlers of its API."""
        return control_api.endpoints(self.assembly)

    async def call(self, endpoint: str, **request: object) -> Json:
        """Call the API; a refusal fails the test."""
        reply = await self.ask(endpoint, **request)
        assert not reply.error_code, reply.body.decode()
        return msgspec.json.decode(reply.body)  # type: ignore[no-any-return] # of JSON

    async def ask(self, endpoint: str, **request: object) -> bus.ApiReply:
        """Call the API; give the reply as it is."""
        client = bus.ApiClient(self.connection)
        reply = await client.request(endpoint, json.dumps(request).encode(), LIMIT_SECONDS)
        contract_check.check_call(endpoint, request, reply.body, refused=bool(reply.error_code))
        return reply

    async def automation(
        self, actions: Sequence[object], event: str | None = None, **fields: object
    ) -> "Stored":
        """Store an automation on an event of its own."""
        number = next(_ids)
        event = event or f"e.n{number}"
        fields.setdefault("mode", "parallel")
        fields.setdefault("max_runs", 1000)
        definition = {
            "name": f"n{number}",
            "triggers": [{"event": event}],
            "actions": actions,
            **fields,
        }
        wanted = {"name": f"n{number}", "definition": definition}
        try:
            stored = await self.call("automations.create", **wanted)
        except BusUnavailable:  # the loop stood still between two tests: it was taken for dead
            await until(lambda: self.connection.healthy)
            stored = await self.call("automations.create", **wanted)
        return Stored(self, stored["id"], event)

    async def publish(
        self, event: str, payload: object, *, key: str | None = None, **headers: str
    ) -> None:
        """Publish an event; the context key is always told."""
        head = {HEADER_CONTEXT_KEY: key or "", **headers}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        subject = self.connection.names.trigger(event)
        await bus.Publisher(self.connection).publish(subject, body, head)

    async def follow(self, feed: bus.Feed) -> None:
        """Note every run event."""
        async for note in feed:
            contract_check.check("run-event", msgspec.json.decode(note.body))
            event = msgspec.json.decode(note.body, type=RunEvent)
            if event.id in self._heard:
                continue  # sent twice, which the stream dropped: this is no reader of the stream
            self._heard.add(event.id)
            async with self._changed:
                self.events.setdefault(event.data.automation_id, []).append(event)
                self._changed.notify_all()

    async def ended(self, automation_id: str, runs: int) -> list[str]:
        """Wait until so many runs have told their end; give their ids in that order."""
        async with patience(), self._changed:
            await self._changed.wait_for(lambda: len(self.finals(automation_id)) >= runs)
        return self.finals(automation_id)

    def finals(self, automation_id: str) -> list[str]:
        """The runs of an automation that have told their end, in that order."""
        return [
            event.data.run_id
            for event in self.events.get(automation_id, [])
            if event.type.rpartition(".")[2] in FINAL
        ]

    async def make_due(self, run_id: str) -> None:
        """Let the time be over that a sleeping run waits for, which no test needs to wait for."""
        await rows(self.settings.postgres.dsn, MAKE_DUE, UUID(run_id))
        self.assembly.loops.wakeups.look()

    async def heard(self, automation_id: str, what: str) -> RunEvent:
        """Wait for an event of this kind."""

        def found() -> list[RunEvent]:
            events = self.events.get(automation_id, [])
            return [e for e in events if e.type == f"lockstep.run.{what}"]

        async with patience(), self._changed:
            await self._changed.wait_for(found)
        return found()[0]


@dataclass
class Seen:
    """A run that has ended, as the API shows it."""

    detail: api.RunDetail
    recorded: list[str]
    events: list[RunEvent]

    @property
    def status(self) -> str:
        """Its final status."""
        return self.detail.run.status

    @property
    def error(self) -> str:
        """Why it failed, or nothing."""
        return self.detail.run.error_message or ""

    @property
    def steps(self) -> dict[str, str]:
        """Status by path."""
        return {step.action_path: step.status for step in self.detail.steps}

    def step(self, path: str) -> api.Step:
        """The one step at a path."""
        (found,) = [step for step in self.detail.steps if step.action_path == path]
        return found


@dataclass
class Stored:
    """A stored automation, to be started by its event."""

    engine_fixture: EngineFixture
    id: str
    event: str
    ended: int = 0

    async def run(self, payload: Mapping[str, object] | None = None, **how: Any) -> Seen:
        """Publish its event, wait for the end of the run, and look at it."""
        await self.engine_fixture.publish(self.event, payload or {}, **how)
        self.ended += 1
        ids = await self.engine_fixture.ended(self.id, self.ended)
        return await self.seen(ids[-1])

    async def seen(self, run_id: str) -> Seen:
        """Look at a run."""
        detail = msgspec.convert(
            await self.engine_fixture.call("runs.get", id=run_id), api.RunDetail
        )
        recorded = [r.value for r in self.engine_fixture.recorder.records if r.run_id == run_id]
        events = [e for e in self.engine_fixture.events[self.id] if e.data.run_id == run_id]
        return Seen(detail, recorded, events)


@asynccontextmanager
async def engine_fixture(
    settings: Settings,
    *,
    is_open: bool = True,
    plugins: Mapping[str, Plugin] | None = None,
    seams: Seams | None = None,
) -> AsyncIterator[EngineFixture]:
    """Start an engine on a migrated database, and stop it in good order."""
    database = await open_store(settings)
    connection = await bus.connect(settings.nats)
    try:
        await bus.prepare(connection)
        prefix = settings.nats.prefix
        catalog: MemoryCatalog = build_catalog(open=is_open, with_stubs=True, prefix=prefix)
        for name, register in (plugins or {}).items():
            catalog.register(name, register)
        recorder, services = Recorder(), ServiceBag()
        services.add(Recorder, recorder)
        assembly = build(settings, database, connection, catalog, services, seams)
        engine = Engine(assembly, table(assembly))
        ready = asyncio.Event()
        opened = EngineFixture(settings, engine, connection, recorder)
        subject = connection.names.run("*", "*")
        async with bus.follow(connection, subject) as feed, asyncio.TaskGroup() as group:
            following = group.create_task(opened.follow(feed))
            running = group.create_task(engine.run(ready.set))
            await ready.wait()
            yield opened
            engine.stop()
            await running
            following.cancel()
    finally:
        await connection.close()
        await database.close()


async def rows(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Look into the tables."""
    connection = await asyncpg.connect(dsn)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        with suppress(OSError):
            await connection.close()
