"""The life of one replica: its services are started in order, and drained in reverse."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog

from lockstep import __version__
from lockstep.engine.parts import Assembly
from lockstep.engine.services import Service
from lockstep.engine.supervision import Supervised
from lockstep.model.errors import BusUnavailable, Unavailable

log = structlog.get_logger()


class Engine:
    """One replica: equal to all others, owner of the runs that it walks."""

    def __init__(self, assembly: Assembly, services: Sequence[Service]) -> None:
        self.assembly = assembly
        self._stopping = asyncio.Event()
        self._services = [Supervised(one, assembly.basis.meter) for one in services]
        for one in self._services:
            assembly.basis.faults.ask(one.faults)

    @property
    def id(self) -> UUID:
        """The id of this worker: another one after each start."""
        return self.assembly.basis.id

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    def services(self) -> Mapping[str, bool]:
        """Say of each service whether it runs, and has not failed again and again."""
        return {one.service.name: one.is_up and not one.is_failing for one in self._services}

    def lacking(self) -> Sequence[str]:
        """Name streams and groups that are gone; say what that of events does not tell."""
        a = self.assembly
        faults = [*a.basis.stream_clock.faults(), *a.pipelines.expiry.faults()]
        return [*a.loops.upkeep.lacking, *faults, *a.pipelines.held_looks.faults()]

    def stop(self) -> None:
        """Ask the engine to end in good order."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Take events until asked to stop, or until the bus is lost for good.

        Raises:
            Unavailable: The bus closed the connection; start the engine again.
        """
        started: list[tuple[Supervised, asyncio.Task[None]]] = []
        closed = self.assembly.edge.connection.closed
        async with self.assembly.edge.http, asyncio.TaskGroup() as group:
            try:
                for one in self._services:
                    await one.start(closed.is_set)
                    task = group.create_task(one.run(), name=one.service.name)
                    started.append((one, task))
                    one.is_up = True
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

    async def _end_all(self, started: Sequence[tuple[Supervised, asyncio.Task[None]]]) -> None:
        for one, task in reversed(started):
            await self._end(one, task)

    async def _end(self, supervised: Supervised, task: asyncio.Task[None]) -> None:
        """Let a service finish what it has begun, within its time; then nothing of it runs.

        Whatever that raises: those after it end in good order too.
        """
        supervised.end()
        service = supervised.service
        try:
            if service.drain is not None:
                async with asyncio.timeout(service.drain_seconds):
                    await service.drain()
        except TimeoutError:
            if service.undrained is not None:
                service.undrained()
        except Exception as error:
            log.exception("service.undrained", service=service.name, error=error)
        task.cancel()
        await asyncio.wait({task})
        if service.stop is not None:
            try:
                await service.stop()
            except Unavailable as error:  # others find out by themselves, a little later
                log.info("service.delayed", service=service.name, error=error)
            except Exception as error:
                log.exception("service.undrained", service=service.name, error=error)
