"""Time that is moved: a sleep of an hour takes none, and what waits for nothing fails at once."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, ParamSpec

from lockstep.model.messages import Offset, moment
from unit.values import NOW

P = ParamSpec("P")
Keys = list[tuple[selectors.SelectorKey, int]]


class _Selector(selectors.BaseSelector):
    """Moves the time of its loop where others would sleep. Knows what is ready, and never waits."""

    def __init__(self) -> None:
        self._real = selectors.SelectSelector()
        self.time = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def select(self, timeout: float | None = None) -> Keys:
        if timeout is None:
            raise AssertionError("all tasks wait, and nothing will ever happen")
        self.time += max(0.0, timeout)
        return self._real.select(0)

    def close(self) -> None:
        self._real.close()


class MovedLoop(asyncio.SelectorEventLoop):
    """A loop that jumps to the next moment at which something is due."""

    def __init__(self) -> None:
        self._moved = _Selector()
        super().__init__(self._moved)

    def time(self) -> float:
        """Seconds since it was made."""
        return self._moved.time


def moved(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Have a test in a loop whose time is moved."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=MovedLoop) as runner:
            runner.run(test(*args, **kwargs))

    return wrapper


class Clock:
    """The clock of the engine, moved with the loop. See `ports.clock.Clock`."""

    def now(self) -> datetime:
        """NOW and what has passed since the test began."""
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    def limit(self, seconds: float) -> asyncio.Timeout:
        """See `ports.clock.Clock`."""
        return asyncio.timeout(seconds)


class StreamClock:
    """The clock of a stream that is ahead by so much. See `ports.clock.StreamClock`."""

    def __init__(self, ahead: timedelta = timedelta(), doubt: str | None = None) -> None:
        self.offset, self.doubt = Offset(ahead, timedelta(milliseconds=1)), doubt

    def time(self, stored_at_ns: int) -> datetime:
        """See `ports.clock.StreamClock`."""
        return moment(stored_at_ns, self.offset.ahead)


class Background:
    """Has the loops of a station run beside the test, and ends them with it."""

    def __init__(self, *loops: Coroutine[Any, Any, None]) -> None:
        self._loops = loops
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [asyncio.create_task(loop) for loop in self._loops]

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task


async def turns() -> None:
    """Let everything go as far as it can in no time."""
    await asyncio.sleep(1e-6)
