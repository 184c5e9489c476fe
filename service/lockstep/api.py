"""The control API of one engine, put together: who answers which endpoint, with what parts."""

import functools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from lockstep import __version__, bus, control, definition, pipeline, store
from lockstep.model.errors import Unavailable
from lockstep_schemas.api import Validation
from lockstep_schemas.base import Json
from lockstep_schemas.run_events import RunEvent, RunStatus

if TYPE_CHECKING:
    from lockstep.app import Engine

AT_REST: Final = frozenset({"succeeded", "failed", "cancelled", "skipped", "waiting"})


def endpoints(engine: "Engine") -> Mapping[str, control.Endpoint]:
    """Give the handler of each endpoint."""
    views = store.RunViews(engine.database)
    endings, clock = engine.waking.endings, engine.clock
    automations = control.AutomationEndpoints(
        engine.automations,
        _Checker(engine),
        engine.reporter,
        endings,
        clock,
        engine.settings.nats.prefix,
    )
    return control.endpoints(
        automations=automations,
        runs=control.RunEndpoints(views, endings, clock),
        start=control.StartEndpoint(
            functools.partial(pipeline.start, parts=engine.way),
            functools.partial(_follow_runs, engine.connection),
            views,
            engine.catalog,
            clock,
        ),
        retry=control.RetryEndpoint(functools.partial(pipeline.retry, parts=engine.way)),
        letters=control.DeadEndpoints(bus.DeadLetterBox(engine.connection, engine.publisher)),
        catalog=control.CatalogEndpoints(engine.catalog, engine.renderer, engine.index.refresh),
        register=control.RegisterEndpoints(
            store.TypeStore(engine.database),
            engine.catalog,
            engine.connection.names.action,
            engine.index.refresh,
        ),
        migration=control.MigrationEndpoints(
            automations, store.ImportStore(engine.database), clock
        ),
        status=control.StatusEndpoint(
            store.StatusStore(engine.database, engine.settings.engine.stale_seconds),
            bus.Lag(engine.connection),
            clock,
            str(engine.id),
            __version__,
        ),
    )


@asynccontextmanager
async def _follow_runs(connection: bus.Connection, automation_id: str) -> AsyncIterator["_Told"]:
    subject = connection.names.run(automation_id, "*")
    async with bus.follow(connection, subject) as feed:
        yield _Told(feed)


class _Checker:
    """See `control.Checker`."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def refresh(self) -> None:
        await self._engine.index.refresh()

    def definition(self, raw: Json) -> Validation:
        checked = definition.validate(raw, self._engine.catalog, self._engine.renderer)
        return Validation(not checked.errors, checked.errors, checked.warnings)

    def config_versions(self, raw: Json) -> Mapping[str, int]:
        return definition.config_versions(definition.parse(raw), self._engine.catalog)

    def source(self, text: str) -> Validation:
        checked = definition.check_source(text, self._engine.catalog, self._engine.renderer)
        return Validation(not checked.errors, checked.errors, checked.warnings)


class _Told:
    """See `control.start.Told`."""

    def __init__(self, feed: bus.Feed) -> None:
        self._feed = feed

    async def status(self, run_id: str) -> RunStatus:
        async for note in self._feed:
            data = msgspec.json.decode(note.body, type=RunEvent).data
            what = note.subject.rpartition(".")[2]
            if data.run_id == run_id and what in AT_REST:
                return data.status
        raise Unavailable("the connection to NATS is closed")
