"""The border to the code of plug-ins: whatever it raises, on our side it is an `Exception`.

Some of what Python lets anybody raise would end more than what raised it: SystemExit and
KeyboardInterrupt end the event loop, CancelledError the task around it without a word, and a
future takes no StopIteration. The engine hears signals by handlers, and not from here; only of
those after the first, one that comes while a plug-in holds the loop up is taken for its failure.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar

from lockstep.model.texts import described

P = ParamSpec("P")
T = TypeVar("T")

# Of Python's own machinery, not of a fault: futures and generators read more into them.
MACHINERY: Final = (StopIteration, StopAsyncIteration)
_IS_FOREIGN: Final = ContextVar("lockstep_is_foreign", default=False)  # and so its tasks are


class ForeignFault(Exception):
    """A plug-in raised what may not go any further; `reason` names that."""

    def __init__(self, error: BaseException) -> None:
        self.reason = reason_of(error)
        super().__init__(self.reason)


def reason_of(error: BaseException) -> str:
    """Describe an exception; of a `ForeignFault`, what was raised in truth."""
    if isinstance(error, ForeignFault):
        return error.reason
    text = described(error)
    if text == "CancelledError":
        return f"{text}: what it waited for was cancelled"
    return text


def called(function: Callable[P, T], *args: P.args, **named_args: P.kwargs) -> T:
    """Call a plain function of a plug-in.

    Raises:
        Exception: What it raised, or a `ForeignFault` for what is none, or belongs to Python.
    """
    try:
        return function(*args, **named_args)
    except MACHINERY as error:
        raise ForeignFault(error) from error
    except Exception:
        raise
    except BaseException as error:  # a cancellation too: ours only comes at an await
        raise ForeignFault(error) from error


class Border:
    """`with Border():` around an await of a plug-in's; as `called`, but for our cancellation."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _IS_FOREIGN.set(True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            _IS_FOREIGN.reset(self._token)
        except ValueError:  # of another context: the coroutine is closed by who throws it away
            return
        if error is None or (isinstance(error, Exception) and not isinstance(error, MACHINERY)):
            return
        task = running()
        if task is None:
            return  # it is closed when no loop runs any more
        if task.cancelling():
            if isinstance(error, asyncio.CancelledError):
                return
            raise asyncio.CancelledError from error  # what it did of ours: it may not be lost
        raise ForeignFault(error) from error


def guard_tasks() -> None:
    """Have what a task of a plug-in raises end that task, and not the loop that runs now.

    It stays: other engines may be in the loop. Tasks of others are made as they were before.
    """
    loop = asyncio.get_running_loop()
    factory = loop.get_task_factory()
    if not isinstance(factory, _Tasks):
        loop.set_task_factory(_Tasks(factory))


class _Tasks:
    """Makes tasks, as the factory of before would."""

    def __init__(self, before: Callable[..., Any] | None) -> None:
        self._make: Callable[..., Any] = before or _task

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Generator[Any, None, T] | Coroutine[Any, Any, T],
        /,
        **more: object,
    ) -> "asyncio.Future[T]":
        task: asyncio.Future[T]
        if not _IS_FOREIGN.get() or not isinstance(work, Coroutine):
            task = self._make(loop, work, **more)
            return task
        task = self._make(loop, _within(work), **more)
        # Cancelled before its first step, it would be missed as never awaited.
        task.add_done_callback(lambda _: work.close())
        return task


def _task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, T],
    **more: Any,  # noqa: ANN401 - whatever a Task takes in this version of Python
) -> asyncio.Task[T]:
    return asyncio.Task(work, loop=loop, **more)


async def _within(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        raise ForeignFault(error) from error


def running() -> "asyncio.Task[object] | None":
    """Give the task that runs in this thread now, if one does."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs
        return None
