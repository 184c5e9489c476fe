"""The control API of one engine, put together: who answers which endpoint, with what parts."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from lockstep import __version__, bus, control, store
from lockstep.bus.dead_box import DeadLetterBox
from lockstep.catalog import MemoryCatalog
from lockstep.definition.stored import parse
from lockstep.definition.validate import Checked, check_source, config_versions, validate
from lockstep.engine.parts import Assembly, Knowledge
from lockstep.model.errors import BusUnavailable
from lockstep.render import Renderer
from lockstep_schemas.api import Validation
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunEvent, RunStatus

AT_REST: Final = frozenset({"succeeded", "failed", "cancelled", "skipped", "waiting"})


def endpoints(a: Assembly) -> Mapping[str, control.Endpoint]:
    """Give the handler of each endpoint."""
    database, connection, clock = a.edge.database, a.edge.connection, a.basis.clock
    types, index, settings = a.knowledge.catalog, a.knowledge.index, a.basis.settings
    views, terminator = store.RunViews(database), a.pipelines.terminator
    automations = control.AutomationEndpoints(
        a.knowledge.automations,
        ThreadedChecker(a.knowledge),
        terminator,
        a.hearing.all,
        clock,
        settings.nats.prefix,
    )
    follow = functools.partial(_follow_runs, connection)
    retry = control.RetryEndpoint(a.pipelines.by_hand, a.basis.frames)
    overdue = control.OverdueWaits(a.tables.waits, a.pipelines.expiry, clock)
    return control.endpoints(
        automations=automations,
        runs=control.RunEndpoints(views, terminator, clock, overdue),
        start=control.StartEndpoint(a.pipelines.by_hand, follow, views, types, clock),
        retry=retry,
        many=control.ManyEndpoints(views, terminator, retry),
        dead_letters=control.DeadEndpoints(DeadLetterBox(connection, a.edge.publisher)),
        parked=control.ParkedEndpoints(
            store.ParkedView(database),
            terminator,
            a.hearing.reporter,
            bus.DeadLetters(connection, a.edge.publisher),
            clock,
        ),
        catalog=control.CatalogEndpoints(types, a.knowledge.renderer, index.refresh),
        register=control.RegisterEndpoints(
            store.TypeStore(database), types, connection.names.action, index.refresh
        ),
        migration=control.MigrationEndpoints(automations, store.ImportStore(database), clock),
        status=control.StatusEndpoint(
            store.StatusStore(database, settings.engine.stale_seconds),
            bus.Lag(connection),
            clock,
            a.basis.stream_clock,
            a.basis.faults.lines,
            a.pipelines.pace.slow,
            str(a.basis.id),
            __version__,
        ),
        why=_why(a),
    )


def _why(a: Assembly) -> control.WhyEndpoint:
    settings = a.basis.settings.engine
    return control.WhyEndpoint(
        store.EventViews(a.edge.database),
        DeadLetterBox(a.edge.connection, a.edge.publisher),
        a.pipelines.events_left,
        settings.judgements > 0,
        settings.receipts_hours,
    )


@asynccontextmanager
async def _follow_runs(connection: bus.Connection, automation_id: str) -> AsyncIterator["_Told"]:
    subject = connection.names.run(automation_id, "*")
    async with bus.follow(connection, subject) as feed:
        yield _Told(feed)


class ThreadedChecker:
    """See `control.automations.Checker`.

    It judges in a thread, one definition after the other, with a renderer of its own for each: a
    large one takes seconds, and the loop goes on meanwhile.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="validation")

    async def refresh(self) -> None:
        """See `control.automations.Checker`."""
        await self._knowledge.index.refresh()

    async def definition(self, raw: Json) -> Validation:
        """See `control.automations.Checker`."""
        return await self._judged(functools.partial(validate, raw))

    def config_versions(self, raw: Json) -> Mapping[str, int]:
        """See `control.automations.Checker`."""
        return config_versions(parse(raw), self._knowledge.catalog)

    async def source(self, text: str) -> Validation:
        """See `control.automations.Checker`."""
        return await self._judged(functools.partial(check_source, text))

    async def _judged(self, judge: Callable[[MemoryCatalog, Renderer], Checked]) -> Validation:
        catalog = self._knowledge.catalog
        renderer = Renderer(catalog.filters, keeps_faults=True)
        loop = asyncio.get_running_loop()
        checked = await loop.run_in_executor(self._thread, judge, catalog, renderer)
        return Validation(not checked.errors, checked.errors, checked.warnings)


class _Told:
    """See `control.start.RunEventFeed`."""

    def __init__(self, feed: bus.Feed) -> None:
        self._feed = feed

    async def status(self, run_id: str) -> RunStatus:
        async for note in self._feed:
            data = msgspec.json.decode(note.body, type=RunEvent).data
            what = note.subject.rpartition(".")[2]
            if data.run_id == run_id and what in AT_REST:
                return data.status
        raise BusUnavailable("the connection to NATS is closed")
