"""How long a test waits for what must come: one limit, which nothing reaches but what hangs.

`TEST_PATIENCE=3` makes it three times as long, for a machine that is busier still;
`TEST_PATIENCE=0.05` a twentieth of it, for whoever looks for a hang. The variable does not begin
with `LOCKSTEP_`: it would be taken for a setting of the engine.
"""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

LIMIT_SECONDS: Final = 240.0 * float(os.environ.get("TEST_PATIENCE", "1"))


def patience() -> asyncio.Timeout:
    """Let a block wait for what must come. Raise TimeoutError at the limit."""
    return asyncio.timeout(LIMIT_SECONDS)


def briefly(seconds: float) -> asyncio.Timeout:
    """Let a block look for a while for what must not come; a busy machine looks less closely."""
    return asyncio.timeout(seconds)


def looks(every_seconds: float = 0.01) -> Iterator[None]:
    """Look again and again, where nothing is awaited. Raise TimeoutError at the limit."""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        yield
        time.sleep(every_seconds)
    raise TimeoutError(f"in vain for {LIMIT_SECONDS:g} s")


async def until(
    holds: Callable[[], object | Awaitable[object]], what: str = "", every_seconds: float = 0.01
) -> None:
    """Wait until something holds; at the limit fail, with `what` was awaited."""
    try:
        async with patience():
            while True:
                held = holds()
                if inspect.isawaitable(held):
                    held = await held
                if held:
                    return
                await asyncio.sleep(every_seconds)
    except TimeoutError:
        raise AssertionError(f"in vain for {LIMIT_SECONDS:g} s: {what or holds}") from None
