"""The border to plug-ins: what they raise is an exception of ours, our own cancellation is not."""

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lockstep.model.foreign import Border, ForeignFault, called, guard_tasks, reason_of
from patience import LIMIT_SECONDS
from unit.moved import Clock

ODD: list[tuple[BaseException, str]] = [
    (SystemExit(3), "SystemExit: 3"),
    (KeyboardInterrupt(), "KeyboardInterrupt"),
    (GeneratorExit(), "GeneratorExit"),
    (StopIteration(3), "StopIteration: 3"),
    (StopAsyncIteration(), "StopAsyncIteration"),
    (asyncio.CancelledError(), "CancelledError: what it waited for was cancelled"),
    (BaseExceptionGroup("some", [SystemExit(1)]), "BaseExceptionGroup: some (1 sub-exception)"),
]


def raising(error: BaseException) -> Callable[[], None]:
    """Make a plain function that raises."""

    def function() -> None:
        raise error

    return function


async def across(body: Callable[[], Coroutine[None, None, None]]) -> None:
    """Await it as the engine awaits an action."""
    with Border():
        await body()


@pytest.mark.parametrize(("error", "reason"), ODD)
def test_what_a_plain_function_may_not_raise_comes_as_a_fault_that_names_it(
    error: BaseException, reason: str
) -> None:
    with pytest.raises(ForeignFault) as caught:
        called(raising(error))
    assert reason_of(caught.value) == str(caught.value) == reason
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(("error", "reason"), ODD)
async def test_what_a_coroutine_may_not_raise_comes_as_a_fault_that_names_it(
    error: BaseException, reason: str
) -> None:
    async def action() -> None:
        await asyncio.sleep(0)
        raise error

    # A StopIteration is made a RuntimeError by Python itself, on its way out of a coroutine.
    with pytest.raises((ForeignFault, RuntimeError)) as caught:
        await across(action)
    if isinstance(caught.value, ForeignFault):
        assert caught.value.reason == reason


@pytest.mark.parametrize("error", [ValueError("v"), ExceptionGroup("g", [ValueError()])])
async def test_other_exceptions_and_results_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as plain:
        called(raising(error))
    with pytest.raises(type(error)) as awaited, Border():
        raise error
    assert plain.value is awaited.value is error
    assert called(max, 1, 2) == 2


async def cancelled_in(body: Callable[[], Coroutine[None, None, None]]) -> asyncio.Task[None]:
    """Cancel a task that has gone into the border and waits there."""
    task = asyncio.create_task(across(body))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task


async def waits() -> None:
    await asyncio.Event().wait()


async def exits_when_cancelled() -> None:
    try:
        await waits()
    except asyncio.CancelledError:
        raise SystemExit(1) from None


@pytest.mark.parametrize("body", [waits, exits_when_cancelled])
async def test_our_own_cancellation_goes_on_whatever_the_plug_in_makes_of_it(
    body: Callable[[], Coroutine[None, None, None]],
) -> None:
    assert (await cancelled_in(body)).cancelled()


async def test_a_time_limit_around_the_border_is_kept() -> None:
    async def limited() -> None:
        async with Clock().limit(0):
            await across(exits_when_cancelled)

    with pytest.raises(TimeoutError):
        await limited()


def test_a_coroutine_that_is_thrown_away_ends_there() -> None:
    loop = asyncio.new_event_loop()
    work = across(waits)
    task = loop.create_task(work)
    loop.run_until_complete(asyncio.sleep(0))
    work.close()  # raises RuntimeError where GeneratorExit is made anything else
    task._log_destroy_pending = False  # type: ignore[attr-defined] # nobody wants it any more
    loop.close()


async def exits() -> None:
    raise SystemExit(3)


async def gathers() -> None:
    await asyncio.gather(exits(), waits_not())


async def waits_not() -> None:
    await asyncio.sleep(0)


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(exits())


async def with_a_limit() -> None:
    await asyncio.wait_for(exits(), LIMIT_SECONDS)


@pytest.mark.parametrize("body", [gathers, in_a_group, with_a_limit])
async def test_a_task_of_a_plug_in_that_exits_ends_that_task_and_not_the_loop(
    body: Callable[[], Coroutine[None, None, None]],
) -> None:
    guard_tasks()
    guard_tasks()  # of a second engine in the same loop
    with pytest.raises((ForeignFault, ExceptionGroup)):
        await across(body)
    assert await asyncio.create_task(asyncio.sleep(0, "ours")) == "ours"


async def test_tasks_of_a_plug_in_keep_their_names_and_may_be_cancelled_before_they_begin() -> None:
    guard_tasks()
    begun: list[asyncio.Task[None]] = []

    async def begins() -> None:
        begun.append(asyncio.create_task(waits(), name="mine"))
        begun[0].cancel()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await across(begins)
        await asyncio.wait(begun)
    assert (begun[0].get_name(), begun[0].cancelled()) == ("mine", True)


def test_what_made_tasks_before_makes_them_still() -> None:
    made: list[object] = []

    def factory(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any
    ) -> asyncio.Task[Any]:
        made.append(work)
        return asyncio.Task(work, loop=loop, **more)

    async def host() -> None:
        asyncio.get_running_loop().set_task_factory(factory)
        guard_tasks()
        await asyncio.create_task(waits_not())
        with pytest.raises(ForeignFault):
            await across(gathers)
        assert len(made) == 3

    asyncio.run(host())
