"""A worker of cases that can be killed for real: an engine in a process of its own.

`python -m lockstep.testbed.worker NAME TIME STORED`, with settings in the environment; `STORED` is
when the stream has stored what, as JSON. It answers the control API, `case.NAME.crash_at` (die
right after that point) and `case.NAME.advance`.
"""

import asyncio
import ctypes
import logging
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import structlog
import uvloop

from lockstep import __version__, bus, store
from lockstep.bus.service import RequestService
from lockstep.catalog import Recorder, ServiceBag, Sleeper, build_catalog, load_plugins
from lockstep.control import handler
from lockstep.engine.assembly import build
from lockstep.engine.engine import Engine
from lockstep.engine.parts import Assembly, Seams
from lockstep.engine.services import table
from lockstep.settings.load import load
from lockstep.testbed.clock import CaseClock
from lockstep.testbed.seams import Point, StreamTimes, as_ours
from lockstep_schemas.api import Success
from lockstep_schemas.events import Actor

PR_SET_PDEATHSIG = 1  # linux/prctl.h


class CrashAt(msgspec.Struct):
    """Request of `crash_at`: a step path, `run_created`, `wait_armed` or `before_ack`."""

    point: str


class Advance(msgspec.Struct):
    """Request of `advance`: let it be this time; when the stream has stored what, by sequence."""

    to: datetime
    stored: Mapping[int, datetime]


class Advanced(msgspec.Struct):
    """Reply of `advance`: how many runs it executes, and when something of it goes on."""

    active: int
    now: datetime
    next_due: datetime | None


class Worker:
    """What is asked of the engine of a case: to let time pass, and to die."""

    def __init__(
        self, assembly: Assembly, clock: CaseClock, times: StreamTimes, point: Point
    ) -> None:
        self._places, self._wakeups = assembly.hearing.places, assembly.loops.wakeups
        self._clock, self._times, self._point = clock, times, point

    async def crash_at(self, request: CrashAt, _: Actor | None) -> Success:
        """Die right after that point."""
        self._point.put(request.point)
        return Success()

    async def advance(self, request: Advance, _: Actor | None) -> Advanced:
        """Let time pass, and what is due go on."""
        self._times.learn(request.stored)
        seconds = (request.to - self._clock.time).total_seconds()
        await self._clock.advance(max(0.0, seconds), self._settled)
        return Advanced(self._places.active, self._clock.time, self._clock.next_due)

    async def _settled(self) -> None:
        """Wait until what was woken has gone on to its next sleep, or its end."""
        while self._is_busy():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.001)

    def _is_busy(self) -> bool:
        is_behind = self._places.is_behind or self._wakeups.is_behind(self._clock.reached)
        return is_behind or self._places.active > self._clock.runs_asleep


def follow_parent() -> None:
    """Die with the process that started us, even when that is killed (Linux; see prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def main(name: str, now: datetime, stored: Mapping[int, datetime]) -> None:
    """Run until killed; the time of the case is now."""
    follow_parent()
    settings = load().settings
    # Nobody reads them, and standard output is that of the command.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clock = CaseClock(now)
    catalog = build_catalog(True, with_stubs=True, prefix=settings.nats.prefix)
    load_plugins(catalog)
    recorder = Recorder(Path(settings.engine.stub_record_file))
    services = ServiceBag().add(Recorder, recorder).add(Sleeper, clock)
    database = await store.Store.connect(settings.postgres.dsn, settings.postgres.pool_size)
    connection = await bus.connect(settings.nats)
    times = StreamTimes(clock)
    times.learn(stored)
    point = Point(times)
    seams = Seams(
        clock=clock, told=as_ours, stamp=times.stamp, listeners=[point], source=point.around
    )
    assembly = build(settings, database, connection, catalog, services, seams)
    worker = Worker(assembly, clock, times, point)
    asked = RequestService(
        connection,
        version=__version__,
        endpoints={
            f"case.{name}.crash_at": handler(CrashAt, worker.crash_at),
            f"case.{name}.advance": handler(Advance, worker.advance),
        },
        metadata={},
    )
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Event()
        group.create_task(Engine(assembly, table(assembly)).run(ready.set))
        await ready.wait()
        await asked.start()


if __name__ == "__main__":
    of_stream = msgspec.json.decode(sys.argv[3], type=dict[int, datetime])
    uvloop.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2]), of_stream))
