"""Patience of walks with a store that is away: they wait for it, and one of them says so."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from lockstep.model.errors import Unavailable

RETRY_SECONDS: Final = 1.0  # while the store is away: thousands of walks ask it again and again
SAY_AGAIN_SECONDS: Final = 30.0  # for all walks together: each line stands for many

Found = TypeVar("Found")

log = structlog.get_logger()


class Patience:
    """Shared by the walks of a worker."""

    def __init__(self) -> None:
        self._said_at = -SAY_AGAIN_SECONDS

    async def with_store(self, ask: Callable[[], Awaitable[Found]]) -> Found:
        """Ask, again and again while the store is away: a walk waits, it does not fail."""
        while True:
            try:
                return await ask()
            except Unavailable as error:
                self._say(error)
            await asyncio.sleep(RETRY_SECONDS)

    def _say(self, error: Unavailable) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._said_at >= SAY_AGAIN_SECONDS:
            self._said_at = now
            log.warning("walk.delayed", error=error)
