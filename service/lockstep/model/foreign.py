"""The border to the code of plug-ins: whatever it raises, on our side it is an `Exception`.

Some of what Python lets anybody raise would end more than what raised it: SystemExit and
KeyboardInterrupt end the event loop, CancelledError the task around it without a word, and a
future takes no StopIteration. No signal is lost by it: the engine hears them by handlers.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, ParamSpec, TypeVar

from lockstep.model.texts import described

P = ParamSpec("P")
T = TypeVar("T")

# Of Python's own machinery, not of a fault: futures and generators read more into them.
MACHINERY: Final = (StopIteration, StopAsyncIteration)


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

    __slots__ = ("_task",)

    def __enter__(self) -> None:
        self._task = running()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or (isinstance(error, Exception) and not isinstance(error, MACHINERY)):
            return
        if self._task is None or running() is not self._task:
            return  # the coroutine is closed, by whoever throws it away: nothing runs on
        if self._task.cancelling():
            if isinstance(error, asyncio.CancelledError):
                return
            raise asyncio.CancelledError from error  # what it did of ours: it may not be lost
        raise ForeignFault(error) from error


def running() -> "asyncio.Task[object] | None":
    """Give the task that runs in this thread now, if one does."""
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs
        return None
