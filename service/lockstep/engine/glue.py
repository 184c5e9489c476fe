"""What lies between two parts and is too small to be one."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from lockstep import __version__, bus, catalog, replicas, secrets, store
from lockstep.definition.compile import compile_program
from lockstep.definition.missing import missing
from lockstep.definition.stored import parse
from lockstep.engine.parts import Connections
from lockstep.model.automations import DefinitionUnreadable, StoredDefinition
from lockstep.model.messages import Told
from lockstep.model.outbox import EventRow
from lockstep.model.program import Program
from lockstep.ports.clock import Clock
from lockstep.ports.workers import Look
from lockstep.render import Renderer
from lockstep.settings.structs import SecretSettings


def resolver(wanted: SecretSettings, edge: Connections) -> secrets.Resolver:
    """Give what finds secrets where the settings say."""
    sources: list[secrets.SecretSource] = [secrets.Environment(wanted.environment_prefix)]
    if wanted.folder:
        sources.append(secrets.Folder(Path(wanted.folder)))
    if wanted.bus:
        subject = edge.connection.names.secret
        sources.append(secrets.SecretService(edge.asker, subject, wanted.timeout_seconds))
    return secrets.Resolver(sources)


async def beat(workers: store.WorkerStore) -> Look:
    """Renew the row of this worker, under the name of its host."""
    return await workers.heartbeat(socket.gethostname(), __version__)


def stream_clock(
    edge: Connections,
    clock: Clock,
    told: Callable[[], Awaitable[Told]] | None,
    error: Callable[[], timedelta] | None,
) -> replicas.StreamClock:
    """Give what compares the clock of the stream of events, which `told` may tell, with ours."""
    stream, kept = edge.connection.names.triggers_stream, store.StreamClockStore(edge.database)
    told = told or bus.Lag(edge.connection).told
    return replicas.StreamClock(stream, told, kept, clock, error or timedelta)


def post(connection: bus.Connection, worker_id: UUID, body: bytes) -> None:
    """Tell another worker something."""
    connection.post(connection.names.worker(str(worker_id)), body)


class RunStream:
    """See `report.outbox.Stream`."""

    def __init__(self, connection: bus.Connection) -> None:
        self._connection = connection

    async def has(self, row: EventRow, since: datetime) -> bool:
        """See `report.outbox.Stream`."""
        stream = self._connection.names.runs_stream
        return await bus.find(self._connection, stream, row.subject, row.message_id, since)


def compiled(renderer: Renderer, types: catalog.MemoryCatalog, stored: StoredDefinition) -> Program:
    """Compile a stored definition; one that asks for what is not known here cannot be."""
    parsed = parse(stored.definition)
    absent = missing(parsed, types)
    if absent:
        raise DefinitionUnreadable(f"not known here: {', '.join(absent)}; is a plug-in missing?")
    made = compile_program(parsed, renderer, types)
    return replace(made, config_versions=stored.config_versions)
