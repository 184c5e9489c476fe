"""Supervision: a service that fails is started again, later and later, and named while it fails.

Nothing that a service may meet ends the process: what it holds in memory stays where it is, and
the next start goes on with it.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from structlog.contextvars import bind_contextvars

from lockstep.engine.errors import ServiceEnded
from lockstep.engine.services import Service
from lockstep.model.errors import Unavailable
from lockstep.model.texts import described
from lockstep.ports.telemetry import Meter

FAILING: Final = 3  # failures in a row: one that passes by itself is nobody's business
WELL_SECONDS: Final = 60.0  # without a failure, after which those before are forgiven
FIRST_PAUSE_SECONDS: Final = 0.5  # most of what fails once does not fail twice

log = structlog.get_logger()


class Supervised:
    """One service: runs it, and knows how it does."""

    def __init__(self, service: Service, meter: Meter) -> None:
        self.service, self._meter = service, meter
        self.reason = ""
        """Why it failed the last time."""
        self.failures = 0
        """Failures in a row."""
        self.is_up = False
        self._is_ending = False
        self._began_at = 0.0
        meter.service_failed(service.name, 0)  # a rate needs two numbers

    @property
    def is_failing(self) -> bool:
        """Whether it has failed several times in a row, and has not run well since."""
        return self.failures >= FAILING and not self._is_forgiven()

    def faults(self) -> Sequence[str]:
        """Say that it fails again and again, and why."""
        if not self.is_failing:
            return []
        what = f"the service {self.service.name} of this replica"
        return [f"{what} has failed {self.failures} times in a row: {self.reason}"]

    async def start(self, is_hopeless: Callable[[], bool]) -> None:
        """Do what must be done before the next service starts; wait for a server that is away.

        Raises:
            Unavailable: It is away, and will not come back.
            ServerUnfit: It cannot serve.
        """
        if self.service.start is None:
            return
        failures = 0
        while True:
            try:
                await self.service.start()
            except Unavailable as error:
                if is_hopeless():
                    raise
                failures += 1
                log.warning("service.delayed", service=self.service.name, error=error)
                await asyncio.sleep(_pause(failures, self.service.most_pause_seconds))
            else:
                return

    async def run(self) -> None:
        """Run it until cancelled, or until it ends because it is drained."""
        if self.service.run is None:
            return
        bind_contextvars(service=self.service.name)  # what it logs says its name
        while True:
            self._began_at = _now()
            try:
                await self._once()
            except Unavailable as error:
                pause = self._failed(error)
                log.warning("service.delayed", error=error, next_seconds=pause)
            except Exception as error:
                pause = self._failed(error)
                self._meter.service_failed(self.service.name)
                log.exception("service.failed", failures=self.failures, next_seconds=pause)
            except asyncio.CancelledError as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Not we were cancelled: something that it awaited was. Nobody would notice.
                pause = self._failed(error)
                self._meter.service_failed(self.service.name)
                log.exception("service.failed", failures=self.failures, next_seconds=pause)
            else:
                return
            await asyncio.sleep(pause)

    def end(self) -> None:
        """Note that it is about to be drained: now it may come to its end."""
        self.is_up, self._is_ending = False, True

    async def _once(self) -> None:
        """Run it; a sweep again and again, as long as it passes or a server is away.

        Raises:
            ServiceEnded: It came to its end, and not because it is drained.
        """
        service = self.service
        if service.run is None:
            return
        if service.every is None:
            await service.run()
            if not self._is_ending:
                raise ServiceEnded("it ended by itself")
            return
        while True:
            try:
                await service.run()
                self.failures = 0
            except Unavailable as error:
                log.warning("service.delayed", error=error)
            await asyncio.sleep(service.every)

    def _failed(self, error: BaseException) -> float:
        """Count a failure; say how long to pause."""
        if self._is_forgiven():
            self.failures = 0
        self.failures += 1
        self.reason = described(error)
        self._began_at = float("inf")  # while it rests it does not run well
        return _pause(self.failures, self.service.most_pause_seconds)

    def _is_forgiven(self) -> bool:
        return self.failures > 0 and _now() - self._began_at >= WELL_SECONDS


def _pause(failures: int, most_seconds: float) -> float:
    """Give a time that doubles with each failure; replicas that fail alike do not come at once."""
    longest = min(FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16), most_seconds)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads


def _now() -> float:
    return asyncio.get_running_loop().time()
