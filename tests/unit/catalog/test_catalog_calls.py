"""Calling actions, however they were written, and lending them services."""

import asyncio
import threading
from functools import partial
from typing import Protocol, cast

import pytest

from lockstep.catalog import AlreadyRegistered, BadResult, ServiceBag
from lockstep.catalog.execution import Function
from lockstep.model.types import ActionContext, ActionResult
from patience import LIMIT_SECONDS
from unit.catalog.helpers import action_of, catalog_of, context


async def call(function: Function, **changes: object) -> ActionResult:
    """Register `function` as an action and call it."""
    catalog = catalog_of(lambda r: r.add_action("do", function))
    return await action_of(catalog, "jira.do").execute(context({"projectKey": "P"}, **changes))


class WithCall:
    """An object that can be called."""

    async def __call__(self, context: ActionContext) -> ActionResult:
        return ActionResult(external_id=context.run_id)


async def with_prefix(prefix: str, context: ActionContext) -> ActionResult:
    return ActionResult(external_id=prefix + context.run_id)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (WithCall(), "run-1"),
        (partial(with_prefix, "x-"), "x-run-1"),
        (lambda context: ActionResult(external_id=context.run_id), "run-1"),
        (lambda context: with_prefix("y-", context), "y-run-1"),
    ],
)
async def test_coroutine_functions_plain_ones_and_objects_can_be_actions(
    function: Function, expected: str
) -> None:
    assert (await call(function)).external_id == expected


async def test_an_action_that_returns_nothing_has_succeeded() -> None:
    assert await call(lambda _: None) == ActionResult()


@pytest.mark.parametrize("value", [{"success": True}, True, "done", 0])
async def test_an_action_that_returns_something_else_is_a_clear_failure(value: object) -> None:
    def action(context: ActionContext) -> object:
        return value

    with pytest.raises(BadResult, match=rf"jira\.do' returned {type(value).__name__}"):
        await call(cast("Function", action))


async def test_what_an_action_raises_reaches_the_caller() -> None:
    def action(context: ActionContext) -> None:
        raise RuntimeError("kaput")

    with pytest.raises(RuntimeError, match="kaput"):
        await call(action)


async def test_a_plain_function_that_blocks_does_not_hold_up_the_engine() -> None:
    go_on = threading.Event()

    def blocks(context: ActionContext) -> None:
        go_on.wait(LIMIT_SECONDS)

    blocked = asyncio.create_task(call(blocks))
    await asyncio.sleep(0)
    assert not blocked.done()
    go_on.set()
    assert await blocked == ActionResult()


async def test_an_action_sees_its_config_and_the_identity_of_its_run() -> None:
    seen: list[ActionContext] = []
    await call(seen.append, consumed_artifacts={"issue": {"key": "A-1"}}, context_key="k")
    [got] = seen
    assert got.config == {"projectKey": "P"}
    assert got.consumed_artifacts == {"issue": {"key": "A-1"}}
    assert (got.run_id, got.automation_id, got.context_key) == ("run-1", "auto-1", "k")


class Clock(Protocol):
    """A service."""

    def now(self) -> int: ...


class Real:
    """A clock that is not a subclass of it."""

    def now(self) -> int:
        return 7


def test_a_service_is_given_by_the_type_that_it_was_added_as() -> None:
    bag = ServiceBag().add(Clock, Real())
    assert bag.get(Clock).now() == 7
    with pytest.raises(LookupError, match="Real"):
        bag.get(Real)


def test_a_second_service_of_a_type_is_refused() -> None:
    with pytest.raises(AlreadyRegistered, match="Clock"):
        ServiceBag().add(Clock, Real()).add(Clock, Real())
