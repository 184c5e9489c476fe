"""Calling what a plug-in brings for a set-up: its calls may raise, block or hang as they like."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

import structlog

from lockstep.model.foreign import Border, called
from lockstep.model.texts import said

LIMIT_SECONDS: Final = 10.0  # to make a set-up, and to tear it down, for which others wait
END_SECONDS: Final = 1.0  # for a call to end that was cancelled; then it is given up
MAX_THREADS: Final = 32  # of one replica, for plain functions; further calls wait for one

Key: TypeAlias = tuple[str, str]
Logger: TypeAlias = structlog.stdlib.BoundLogger
Outcome: TypeAlias = tuple[object, Exception | None]


class CallFailed(Exception):
    """A call of a plug-in did not end in time, or its task was cancelled, and not by us."""


class SetupCalls:
    """Makes the calls of one replica, each within its time; remembers those that hang."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(MAX_THREADS)
        self._late: dict[asyncio.Task[None], Key | None] = {}

    def hangs(self, key: Key) -> bool:
        """Whether an earlier call still goes on, so that a new one would pile up on it."""
        return key in self._late.values()

    async def set_up(
        self, key: Key, function: Callable[..., object], call: Callable[[], object], logger: Logger
    ) -> object:
        """Call a set-up; give what it returned. What comes too late to be given is torn down.

        Raises:
            Exception: What the set-up raised; see `model.foreign`.
            CallFailed: It did not end in time.
        """
        made = _Call(function, call, self._threads)
        try:
            return await made.within(LIMIT_SECONDS)
        finally:
            if not made.is_heard:
                self._follow(made, logger, key, "set-up")

    async def tear_down(self, key: Key, teardown: object, logger: Logger) -> None:
        """Call what a set-up has returned; whatever it raises is logged."""
        if not callable(teardown):
            return
        made = _Call(teardown, teardown, self._threads)
        try:
            await made.within(LIMIT_SECONDS)
        except Exception as error:
            logger.exception("source.failed", error=f"tearing down: {said(error)}")
        finally:
            if not made.is_heard:
                self._follow(made, logger, key, "teardown")

    def _follow(self, made: "_Call", logger: Logger, key: Key, call: str) -> None:
        if not made.task.done():
            logger.warning("source.hangs", call=call)
        late = asyncio.create_task(self._when_late(made, logger, key, call))
        # A teardown that hangs in the loop takes nothing from others; a thread is one of few.
        self._late[late] = key if made.in_thread or call == "set-up" else None
        late.add_done_callback(self._late.pop)

    async def _when_late(self, made: "_Call", logger: Logger, key: Key, call: str) -> None:
        await asyncio.wait({made.task})
        if made.task.cancelled():
            return
        error = made.task.exception()
        if error is not None:
            logger.error("source.failed", error=said(error), exc_info=error)
        elif call == "set-up":
            await self.tear_down(key, made.task.result(), logger)


class _Call:
    """A call in a task of its own: whatever it does, who waits for it goes on."""

    def __init__(
        self,
        function: Callable[..., object],
        call: Callable[[], object],
        threads: asyncio.Semaphore,
    ) -> None:
        self._call, self._threads = call, threads
        self._is_coroutine = inspect.iscoroutinefunction(function)
        self._is_over = False
        self.in_thread = False
        self.is_heard = False
        self.task = asyncio.create_task(self._contained())

    async def within(self, seconds: float) -> object:
        """Wait for it, and cancel it after its time, or when the caller is cancelled."""
        try:
            await asyncio.wait({self.task}, timeout=seconds)
            if not self.task.done():
                reason = self._reason(seconds)
                await self._end()
                raise CallFailed(reason)
        except asyncio.CancelledError:
            await self._end()
            raise
        self.is_heard = True
        if self.task.cancelled():
            raise CallFailed("it was cancelled, and not by the engine")
        return self.task.result()

    async def _end(self) -> None:
        self._is_over = True
        if not self.in_thread:
            self.task.cancel()
        await asyncio.wait({self.task}, timeout=END_SECONDS)
        self.is_heard = self.task.done() and self.task.cancelled()

    def _reason(self, seconds: float) -> str:
        if self._is_coroutine or self.in_thread or not self._threads.locked():
            return f"it took longer than {seconds:g} s"
        return f"no thread was free within {seconds:g} s: {MAX_THREADS} calls block theirs"

    async def _contained(self) -> object:
        with Border():
            made = self._call() if self._is_coroutine else await self._threaded()
            if not isinstance(made, Awaitable):
                return made
            if self._is_over:  # its time passed while it was in the thread
                self.task.cancel()
            return await made

    async def _threaded(self) -> object:
        """Call it in a thread: not of the loop's own, which look up names and read secrets."""
        await self._threads.acquire()
        self.in_thread = True
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()

        def ended(value: object, error: Exception | None) -> None:
            self._threads.release()
            self.in_thread = False
            if not outcome.done():
                outcome.set_result((value, error))

        context = contextvars.copy_context()
        run = partial(context.run, _run, self._call, loop, ended)
        try:
            # A daemon: one that blocks must not keep the process from its end.
            threading.Thread(target=run, daemon=True, name="lockstep-setup").start()
        except RuntimeError as error:  # the system has none left
            ended(None, error)
        value, raised = await outcome
        if raised is not None:
            raise raised
        return value


def _run(
    call: Callable[[], object],
    loop: asyncio.AbstractEventLoop,
    ended: Callable[[object, Exception | None], object],
) -> None:
    outcome: Outcome
    try:
        outcome = called(call), None
    except Exception as error:  # noqa: BLE001 - of a thread: whoever awaits it raises it
        outcome = None, error
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(ended, *outcome)
