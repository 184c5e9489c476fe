"""Calling an action, however its author wrote it: as a coroutine function or as a plain one."""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Final, TypeAlias

from lockstep.catalog.errors import BadResult
from lockstep.model.foreign import called
from lockstep.model.types import ActionContext, ActionResult, Execute

Answer: TypeAlias = ActionResult | None
Function: TypeAlias = Callable[[ActionContext], Awaitable[Answer] | Answer]

MAX_THREADS: Final = 32  # as many as Python's own pool has at most; further calls wait for one


def executor(qualified_id: str, function: Function) -> Execute:
    """Make `function` callable by the walk.

    A plain function runs in a thread of its own, because it may block; one that does not end
    keeps its thread after the step has timed out. None counts as success.

    Raises (when it is called):
        BadResult: It returned something that is no `ActionResult`.
    """
    is_coroutine = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object with an async `__call__`
    )

    async def execute(context: ActionContext) -> ActionResult:
        given: object = function(context) if is_coroutine else await _in_thread(function, context)
        if inspect.isawaitable(given):
            given = await given
        if given is None:
            return ActionResult()
        if isinstance(given, ActionResult):
            return given
        kind = type(given).__name__
        raise BadResult(f"action '{qualified_id}' returned {kind}; an ActionResult was expected")

    return execute


async def _in_thread(function: Function, context: ActionContext) -> object:
    # In the thread: what no future takes would never reach who waits for it.
    call = partial(contextvars.copy_context().run, called, function, context)
    return await asyncio.get_running_loop().run_in_executor(_threads(), call)


@cache
def _threads() -> ThreadPoolExecutor:
    """Not the loop's own: actions that hang must not keep the engine from looking up names."""
    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="lockstep-action")
