"""A process with an engine: its event loop, and the signals that end it."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from lockstep.engine import serve
from lockstep.engine.engine import Engine
from lockstep.settings.structs import Settings

AGAIN_SECONDS: Final = 1.0
"""Until a cancellation is tried again: long beside one that works, short beside any patience."""

# The young generation holds what some hundred runs make between two checkpoints, in place of the
# 700 objects that are the default; the older ones are looked at as seldom.
_COLLECT_AFTER: Final = (50_000, 20, 100)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a service: on uvloop, where there is one.

    Runs and events are many small objects that live for some commits and form no cycles: as it
    comes, the collector of cycles looks through them again and again, for a tenth of the time.
    What is loaded by now stays for good and is looked at no more.
    Source: the documentation of the module gc, set_threshold and freeze.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop


@asynccontextmanager
async def stop_signal(said: Callable[[], None]) -> AsyncIterator[asyncio.Event]:
    """Turn the first SIGTERM or SIGINT into an event, and say so; a second is not held up."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def heard() -> None:
        stop.set()
        _unhook(loop)
        said()

    for number in _SIGNALS:
        loop.add_signal_handler(number, heard)
    try:
        yield stop
    finally:
        _unhook(loop)


def _unhook(loop: asyncio.AbstractEventLoop) -> None:
    for number in _SIGNALS:
        loop.remove_signal_handler(number)


async def engine(
    settings: Settings,
    stop: asyncio.Event,
    ready: Callable[[], None] | None = None,
    fresh: Callable[[], Settings] | None = None,
) -> None:
    """Run one engine until `stop` is set; `ready` is called once it takes events.

    `fresh` reads the settings again, for a connection that broke.

    Raises:
        EngineError: It cannot start, or cannot go on.
    """
    running: list[Engine] = []

    def note(started: Engine) -> None:
        running.append(started)
        if stop.is_set():  # asked while it started, and the cancellation was swallowed
            started.stop()
        elif ready is not None:
            ready()

    serving = asyncio.create_task(serve.serve(settings, ready=note, fresh=fresh))
    try:
        await either(serving, stop)
        for one in running:
            one.stop()
        if running or serving.done():
            await serving
    finally:
        await cancelled(serving)


async def either(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait for the end of a task, or until `stop` is set."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended: nats-py may swallow a cancellation while it connects."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
