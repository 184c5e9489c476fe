"""A worker of cases that can be killed for real: an engine in a process of its own.

`python -m lockstep.cli.worker NAME SECONDS`, with settings in the environment. It answers the
control API, `case.NAME.crash_at` (die right after that point) and `case.NAME.advance`.
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
import uvloop

from lockstep import app, bus, store
from lockstep.cases.clock import CaseClock
from lockstep.catalog import Recorder, ServiceBag, Sleeper, build_catalog, load_plugins
from lockstep.cli import logs
from lockstep.cli.world import stamp
from lockstep.config import load
from lockstep.control import handler
from lockstep.model.messages import Message
from lockstep.model.runs import Checkpoint, Poison
from lockstep.model.verdicts import Verdict
from lockstep_schemas.api import Success
from lockstep_schemas.events import Actor

PR_SET_PDEATHSIG = 1
TAKEN = frozenset({"run_created", "before_ack"})


class CrashAt(msgspec.Struct):
    """Request of `crash_at`: a step path, `run_created`, `wait_armed` or `before_ack`."""

    point: str


class Advance(msgspec.Struct):
    """Request of `advance`."""

    seconds: float


class Worker:
    """An engine with a point at which it dies."""

    def __init__(self, engine: app.Engine, clock: CaseClock, name: str) -> None:
        self.engine, self._clock, self._point = engine, clock, ""
        self._receive = engine.intakes[0].receive
        engine.intakes[0].receive = self._received
        self._checkpoint = engine.runs.checkpoint
        engine.runs.checkpoint = self._stored  # type: ignore[method-assign] # that is the point
        engine.endpoints = {
            **engine.endpoints,
            f"case.{name}.crash_at": handler(CrashAt, self._crash_at),
            f"case.{name}.advance": handler(Advance, self._advance),
        }

    async def _crash_at(self, request: CrashAt, _: Actor | None) -> Success:
        self._point = request.point
        return Success()

    async def _advance(self, request: Advance, _: Actor | None) -> Success:
        await self._clock.advance(request.seconds, self._settled)
        return Success()

    async def _settled(self) -> None:
        """Wait until what was woken has gone on to its next sleep, or its end."""
        while self._is_busy():  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.001)

    def _is_busy(self) -> bool:
        walkers = self.engine.walkers
        is_behind = walkers.is_behind or self.engine.is_due(self._clock.time)
        return is_behind or walkers.active > self._clock.sleeping

    async def _received(self, batch: Sequence[Message]) -> list[tuple[Message, Verdict | Poison]]:
        for message in batch:
            stamp(message, self._clock)
        verdicts = await self._receive(batch)
        if self._point in TAKEN:
            die()
        return verdicts

    async def _stored(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        held = await self._checkpoint(checkpoints)
        done = {step.path for one in checkpoints for step in one.steps if step.status == "success"}
        if self._point in done or (self._point == "wait_armed" and _arms(checkpoints)):
            die()
        return held


def _arms(checkpoints: Sequence[Checkpoint]) -> bool:
    return any(wait.path for one in checkpoints for wait in one.waits)


def die() -> None:
    """End here and now; nothing of ours runs after it."""
    os.kill(os.getpid(), signal.SIGKILL)


def follow_parent() -> None:
    """Die with the process that started us, even when that is killed (Linux; see prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def main(name: str, passed_seconds: float) -> None:
    """Run until killed; so many engine seconds have passed before."""
    follow_parent()
    settings = load().settings
    logs.configure(settings.log)
    clock = CaseClock(passed_seconds)
    catalog = build_catalog(True, with_stubs=True, prefix=settings.nats.prefix)
    load_plugins(catalog)
    recorder = Recorder(Path(settings.engine.stub_record_file))
    services = ServiceBag().add(Recorder, recorder).add(Sleeper, clock)
    database = await store.Store.connect(settings.postgres.dsn, settings.postgres.pool_size)
    connection = await bus.connect(settings.nats)
    engine = app.Engine(settings, database, connection, catalog, services, clock)
    await Worker(engine, clock, name).engine.run()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
