"""Upkeep of the bus: streams and groups that are gone are made again, where that is ours to do."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog

from lockstep import bus
from lockstep.model.errors import ServerUnfit, Unavailable

LOOK_SECONDS: Final = 15.0  # without a hint: a dozen small questions to the server
PAUSE_SECONDS: Final = 1.0  # between two looks: hints come by hundreds

log = structlog.get_logger()


class Upkeep:
    """Looks for what the settings ask for, and says what is gone."""

    def __init__(self, connection: bus.Connection) -> None:
        self._connection = connection
        self.lacking: Sequence[str] = ()
        """What is gone, by its kind and name."""

    async def run(self) -> None:
        """Look now and then, and at once where somebody got no answer, until cancelled."""
        doubted = self._connection.doubted
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await doubted.wait()
            doubted.clear()
            try:
                await self.look()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Look for all of it; what differs is left: a replica of another release may want it so.

        Raises:
            Unavailable: JetStream gives no answer, or has no room just now.
        """
        try:
            self.lacking = await bus.gone(self._connection)
            if not self.lacking:
                return
            log.warning("stream.missed", missing=self.lacking)
            if self._connection.settings.manage_bus:
                await bus.apply(self._connection)
                self.lacking = ()
        except ServerUnfit as error:  # an operator must look; what is gone is named until he has
            log.warning("stream.missed", missing=self.lacking, error=error)

    def faults(self) -> Sequence[str]:
        """Say what is gone, a line each."""
        return [f"{name} is missing; `lockstep bus apply` makes it" for name in self.lacking]
