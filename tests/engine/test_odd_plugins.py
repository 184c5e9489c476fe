"""Plug-ins that raise what ends processes, tasks and futures: it is a failure like any other."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.test_language import record
from lockstep.catalog import ActionContext, ActionResult, Registry
from lockstep.embedded import Servers
from lockstep_schemas.base import JsonObject
from patience import LIMIT_SECONDS

ODD: dict[str, Callable[[], BaseException]] = {
    "system_exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "generator_exit": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "group": lambda: BaseExceptionGroup("some", [GeneratorExit()]),
    "stop_iteration": StopIteration,
    "stop_async_iteration": StopAsyncIteration,
}


def register_odd(registry: Registry, name: str, make: Callable[[], BaseException]) -> None:
    """Register actions, a filter and a context key that raise it."""

    async def later(context: ActionContext) -> ActionResult:
        await asyncio.sleep(0)
        raise make()

    def plain(context: ActionContext) -> ActionResult:
        raise make()

    def shape(value: object) -> object:
        raise make()

    def key(payload: JsonObject) -> object:
        raise make()

    registry.add_action(f"later_{name}", later)
    registry.add_action(f"plain_{name}", plain)
    registry.add_filter(f"shape_{name}", shape)
    registry.trigger(f"keyed_{name}", bus=True, context_key=key)


async def _cancels_itself(context: ActionContext) -> ActionResult:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    return ActionResult()


async def _exits() -> None:
    raise SystemExit(3)


async def _gathers(context: ActionContext) -> ActionResult:
    await asyncio.gather(_exits(), asyncio.sleep(0))
    return ActionResult()


async def _limits(context: ActionContext) -> ActionResult:
    await asyncio.wait_for(_exits(), LIMIT_SECONDS)
    return ActionResult()


def register(registry: Registry) -> None:
    """Register actions, filters and context keys that raise each of them."""
    for name, make in ODD.items():
        register_odd(registry, name, make)
    registry.add_action("cancels_itself", _cancels_itself)
    registry.add_action("gathers", _gathers)
    registry.add_action("limits", _limits)


async def assert_all_is_well(only: EngineFixture) -> None:
    """The engine lives: all of its services work, and so does a run."""
    assert [name for name, works in only.engine.services().items() if not works] == []
    assert (await (await only.automation([record("x")])).run()).recorded == ["x"]


async def test_an_action_fails_by_whatever_it_raises(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name, make in ODD.items():
            for way in ("later", "plain"):
                stored = await only.automation([{"action": f"odd.{way}_{name}", "config": {}}])
                seen = await stored.run()
                assert seen.status == "failed", (way, name)
                assert type(make()).__name__ in seen.error, (way, name)
        await assert_all_is_well(only)


async def test_a_failure_of_that_kind_is_tried_again_and_may_be_tolerated(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    step = {
        "id": "a", "action": "odd.later_system_exit", "config": {}, "continue_on_error": True,
        "retry": {"attempts": 2, "delay_seconds": 0},
    }  # fmt: skip
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        seen = await (await only.automation([step, record("on")])).run()
        assert (seen.status, seen.recorded) == ("success", ["on"])
        assert seen.step("actions[0]").attempts == 2


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in_a_branch"])
async def test_a_run_fails_whose_action_cancels_its_own_task(
    servers: Servers, dsn: str, beside: bool
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    odd = {"action": "odd.cancels_itself", "config": {}}
    actions = [{"parallel": [odd, {"delay": {"seconds": 3600}}]}] if beside else [odd]
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        seen = await (await only.automation(actions)).run()
        assert seen.status == "failed"
        assert "CancelledError" in seen.error
        await assert_all_is_well(only)


@pytest.mark.parametrize("action", ["gathers", "limits"])
async def test_an_action_fails_that_has_begun_a_task_which_exits(
    servers: Servers, dsn: str, action: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        stored = await only.automation([{"action": f"odd.{action}", "config": {}}])
        seen = await stored.run()
        assert (seen.status, seen.error) == ("failed", "SystemExit: 3")
        await assert_all_is_well(only)


async def test_a_filter_fails_its_expression_by_whatever_it_raises(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name, make in ODD.items():
            stored = await only.automation([record(f"{{{{ trigger.id | shape_{name} }}}}")])
            seen = await stored.run()
            assert seen.status == "failed", name
            assert f"filter 'shape_{name}': {type(make()).__name__}" in seen.error
        await assert_all_is_well(only)


async def test_an_event_goes_on_whose_filter_or_context_key_raises_any_of_them(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name in ODD:
            event = f"odd.keyed_{name}"
            condition = f"trigger.id | shape_{name}"
            filtered = await only.automation(
                [record("no")], triggers=[{"event": event, "filter": condition}]
            )
            plain = await only.automation([record(name)], event=event)
            await only.publish(event, {})
            (run_id,) = await only.ended(plain.id, 1)
            assert (await plain.seen(run_id)).recorded == [name]
            assert only.finals(filtered.id) == []
        await assert_all_is_well(only)
