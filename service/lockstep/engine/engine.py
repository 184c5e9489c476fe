"""The life of one replica: its services are started in order, and drained in reverse."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from lockstep import __version__
from lockstep.engine.parts import Assembly
from lockstep.engine.services import Service
from lockstep.model.errors import BusUnavailable, Unavailable

log = structlog.get_logger()


class Engine:
    """One replica: equal to all others, owner of the runs that it walks."""

    def __init__(self, assembly: Assembly, services: Sequence[Service]) -> None:
        self.assembly, self._services = assembly, services
        self._stopping = asyncio.Event()
        self._running: dict[str, bool] = {service.name: False for service in services}

    @property
    def id(self) -> UUID:
        """The id of this worker: another one after each start."""
        return self.assembly.basis.id

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    def services(self) -> Mapping[str, bool]:
        """Say of each service whether it runs."""
        return self._running

    def stop(self) -> None:
        """Ask the engine to end in good order."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Take events until asked to stop, or until the bus is lost for good.

        Raises:
            Unavailable: The bus closed the connection; start the engine again.
        """
        started: list[tuple[Service, asyncio.Task[None]]] = []
        async with self.assembly.edge.http, asyncio.TaskGroup() as group:
            try:
                for service in self._services:
                    if service.start is not None:
                        await service.start()
                    task = group.create_task(self._run(service), name=service.name)
                    started.append((service, task))
                    self._running[service.name] = True
            except BaseException:
                # Those before it have work already: cut off, their runs would be nobody's.
                await self._end_all(started)
                raise
            log.info("engine.started", worker=str(self.id), version=__version__)
            if ready is not None:
                ready()
            lost = await self._stopped()
            await self._end_all(started)
        log.info("engine.stopped", worker=str(self.id))
        if lost is not None:
            raise BusUnavailable(f"the connection to NATS is lost for good: {lost}")

    async def _run(self, service: Service) -> None:
        """Run a service; what it logs says its name."""
        if service.run is None:
            return
        bind_contextvars(service=service.name)
        try:
            if service.every is None:
                await service.run()
                return
            while True:
                try:
                    await service.run()
                except Unavailable as error:
                    log.warning("service.delayed", error=error)
                await asyncio.sleep(service.every)
        finally:
            self._running[service.name] = False

    async def _stopped(self) -> str | None:
        """Wait for the end; say why where it is the bus that ended."""
        connection = self.assembly.edge.connection
        closed = asyncio.create_task(connection.closed.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({closed, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return connection.closed_reason if closed.done() else None
        finally:
            closed.cancel()
            stopping.cancel()

    async def _end_all(self, started: Sequence[tuple[Service, asyncio.Task[None]]]) -> None:
        for service, task in reversed(started):
            await self._end(service, task)

    async def _end(self, service: Service, task: asyncio.Task[None]) -> None:
        """Let a service finish what it has begun, within its time; then nothing of it runs."""
        self._running[service.name] = False
        try:
            if service.drain is not None:
                async with asyncio.timeout(service.drain_seconds):
                    await service.drain()
        except TimeoutError:
            if service.undrained is not None:
                service.undrained()
        task.cancel()
        await asyncio.wait({task})
        if service.stop is not None:
            try:
                await service.stop()
            except Unavailable as error:  # others find out by themselves, a little later
                log.info("service.delayed", service=service.name, error=error)
