"""Plug-ins whose exceptions and objects cannot be put into words: they fail, and nothing else."""

import io
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, settings_of
from engine.test_language import record
from engine.test_odd_plugins import assert_all_is_well, register_odd
from lockstep.catalog import ActionContext, ActionResult, Registry
from lockstep.embedded import Servers
from lockstep.settings.structs import LogSettings
from lockstep.telemetry import logs
from patience import until


class Quit(BaseException):
    """One that `except Exception` does not catch."""


class Unsayable(Exception):
    """One whose text raises."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Stubborn(Exception):
    """One whose text raises what is no Exception."""

    def __str__(self) -> str:
        raise Quit

    __repr__ = __str__


class StubbornQuit(Quit):
    """As `Stubborn`, and itself no Exception."""

    def __str__(self) -> str:
        raise Quit

    __repr__ = __str__


ODD: dict[str, tuple[Callable[[], BaseException], str]] = {
    "half": (lambda: ValueError("a\ud800b"), "ValueError: a?b"),
    "zero": (lambda: ValueError("a\0b"), "ValueError: a\N{REPLACEMENT CHARACTER}b"),
    "huge": (lambda: ValueError("x" * 10_000_000), "ValueError: xxx"),
    "unsayable": (Unsayable, "Unsayable"),
    "stubborn": (Stubborn, "Stubborn"),
    "stubborn_quit": (StubbornQuit, "StubbornQuit"),
}
SAID: dict[str, Any] = {
    "half": "a\ud800", "unsayable": Unsayable(), "stubborn": Stubborn(), "inside": [Stubborn()],
    "key": {"\ud800": "\ud800"},
}  # fmt: skip
RETRIES: dict[str, Any] = {
    "text": "abc", "object": object(), "stubborn": Stubborn(), "half": "\ud800", "list": [1],
    "nan": float("nan"),
}  # fmt: skip


def _register_given(registry: Registry, name: str, make: Callable[[], BaseException]) -> None:
    def given(context: ActionContext) -> ActionResult:
        return ActionResult(success=False, error=make())  # type: ignore[arg-type] # as plug-ins do

    registry.add_action(f"given_{name}", given)


def _register_sources(registry: Registry, make: Callable[[], BaseException], name: str) -> None:
    def plain(*_: object) -> object:
        raise make()

    async def later(*_: object) -> object:
        raise make()

    def taken_down(*_: object) -> object:
        return later

    registry.trigger(f"plain_{name}", setup=plain)
    registry.trigger(f"later_{name}", setup=later)
    registry.trigger(f"down_{name}", setup=taken_down)


def register(registry: Registry) -> None:
    """Register what raises each of them, says odd things, and asks for odd retries."""
    for name, (make, _) in ODD.items():
        register_odd(registry, name, make)
        _register_given(registry, name, make)
    for name in ("half", "stubborn"):
        _register_sources(registry, ODD[name][0], name)

    async def talks(context: ActionContext) -> ActionResult:
        for name, odd in SAID.items():
            context.logger.info("odd.said", name=name, odd=odd)
            context.logger.warning("odd.said", name=name, other=odd)
        return ActionResult()

    def retries(context: ActionContext) -> ActionResult:
        asked = RETRIES[context.config["asked"]]  # type: ignore[index] # a dict: no type is given
        return ActionResult(success=False, error="its own", retry_after_ms=asked)

    registry.add_action("talks", talks)
    registry.add_action("retries", retries)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, logging_as_it_was: None) -> io.StringIO:
    """The log lines of an engine, written as in production."""
    made = io.StringIO()
    monkeypatch.setattr(sys, "stderr", made)
    logs.configure(LogSettings(level="info", format="json"))
    return made


def lines(written: io.StringIO, event: str) -> list[dict[str, Any]]:
    """The lines of one name."""
    read = [json.loads(text) for text in written.getvalue().splitlines()]
    return [line for line in read if line["event"] == event]


async def test_an_action_fails_by_what_cannot_be_said(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name, (_, reason) in ODD.items():
            for way in ("later", "plain", "given"):
                action = {"action": f"odd.{way}_{name}", "config": {}}
                seen = await (await only.automation([action])).run()
                wanted = reason.removeprefix("ValueError: ") if way == "given" else reason
                assert seen.status == "failed", (way, name)
                assert wanted in seen.error, (way, name)
        await assert_all_is_well(only)
    told = lines(written, "action.failed")
    assert len(told) == 2 * len(ODD), "those that raised"
    assert all("Traceback" in line["exception"] for line in told)


async def test_a_filter_fails_its_expression_by_what_cannot_be_said(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    del written
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name, (_, reason) in ODD.items():
            stored = await only.automation([record(f"{{{{ trigger.id | shape_{name} }}}}")])
            seen = await stored.run()
            assert seen.status == "failed", name
            assert f"filter 'shape_{name}': {reason}" in seen.error
        await assert_all_is_well(only)


async def test_an_event_goes_on_whose_context_key_fails_by_what_cannot_be_said(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    del written
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name in ODD:
            stored = await only.automation([record(name)], event=f"odd.keyed_{name}")
            assert (await stored.run()).recorded == [name]
        await assert_all_is_well(only)


async def source(only: EngineFixture, event: str) -> Stored:
    """Store an automation with a set-up."""
    definition = {"name": event, "triggers": [{"event": event}], "actions": []}
    made = await only.call("automations.create", name=event, definition=definition)
    return Stored(only, made["id"], event)


async def test_a_source_fails_by_what_cannot_be_said_when_it_begins_and_when_it_ends(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name in ("half", "stubborn"):
            made = [await source(only, f"odd.{way}_{name}") for way in ("plain", "later", "down")]

            def told(event: str, made: list[Stored] = made) -> set[str]:
                ids = {one.id for one in made}
                return {line["automation_id"] for line in lines(written, event)} & ids

            def has_told(event: str, sources: int, told: Callable[[str], set[str]] = told) -> bool:
                return len(told(event)) == sources

            await until(partial(has_told, "source.started", 1))
            await until(partial(has_told, "source.failed", 2))
            for one in made:
                await only.call("automations.delete", id=one.id)
            await until(partial(has_told, "source.failed", 3))
        await assert_all_is_well(only)


async def test_an_action_that_is_well_may_log_what_cannot_be_said(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        seen = await (await only.automation([{"action": "odd.talks", "config": {}}])).run()
        assert (seen.status, seen.error) == ("success", "")
        await assert_all_is_well(only)
    told = lines(written, "odd.said")
    assert [line["name"] for line in told] == [name for name in SAID for _ in range(2)]
    assert all(line["run_id"] == seen.detail.run.id for line in told)


async def test_an_odd_wish_for_a_retry_is_none_and_the_error_stays_that_of_the_action(
    servers: Servers, dsn: str, written: io.StringIO
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"c{uuid4().hex[:10]}")
    retry = {"attempts": 2, "delay_seconds": 0, "max_delay_seconds": 1}
    async with engine_fixture(settings, plugins={"odd": register}) as only:
        for name in RETRIES:
            action = {"action": "odd.retries", "config": {"asked": name}, "retry": retry}
            seen = await (await only.automation([action])).run()
            assert (seen.status, seen.step("actions[0]").attempts) == ("failed", 2)
            assert seen.error == "its own"
        await assert_all_is_well(only)
    assert len(lines(written, "retry.refused")) == len(RETRIES)
