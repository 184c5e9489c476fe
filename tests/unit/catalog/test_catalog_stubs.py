"""The plug-in `test`."""

import os
from multiprocessing import get_context
from pathlib import Path

import msgspec
import pytest

from lockstep.catalog import Recorder, ServiceBag, Sleeper, build_catalog
from lockstep.model.types import ActionResult
from lockstep_schemas.base import JsonObject
from unit.catalog.helpers import action_of, context

CATALOG = build_catalog(open=True, with_stubs=True)


class Naps:
    """A clock that notes how long it was slept on."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def call(
    name: str,
    config: JsonObject,
    recorder: Recorder,
    services: ServiceBag | None = None,
    **more: object,
) -> ActionResult:
    """Call a stub as the walk does."""
    action = action_of(CATALOG, f"test.{name}")
    assert not action.config_schema.faults(config)
    assert action.config_type is not None
    bag = (services or ServiceBag()).add(Recorder, recorder)
    typed = msgspec.convert(config, action.config_type)
    return await action.execute(context(typed, services=bag, **more))


def test_the_stubs_are_there_only_when_asked_for() -> None:
    assert build_catalog(open=True).action("test.record") is None
    assert CATALOG.action("test.record") is not None
    CATALOG.complete()


async def test_record_records_its_text_and_produces_it() -> None:
    recorder = Recorder()
    result = await call("record", {"value": "x"}, recorder, attempt=2)
    assert result.artifact == {"recorded": "x"}
    [record] = recorder.records
    assert (record.value, record.run_id, record.path, record.attempt) == (
        "x",
        "run-1",
        "actions[0]",
        2,
    )
    assert record.idempotency_key == "run-1:actions[0]"
    produced = action_of(CATALOG, "test.record").produces
    assert produced is CATALOG.artifact("test.recorded")
    assert produced is not None
    assert produced.schema.is_valid(result.artifact)
    assert not produced.schema.is_valid({"recorded": 1})


async def test_consumer_records_what_it_is_handed() -> None:
    recorder = Recorder()
    assert action_of(CATALOG, "test.consumer").consumes == ("test.recorded",)
    await call("consumer", {}, recorder)
    handed = {"recorded": {"recorded": "x"}}
    await call("consumer", {}, recorder, consumed_artifacts=handed)
    assert recorder.consumed == [{}, handed]
    assert not recorder.records


async def test_fail_fails_for_its_reason() -> None:
    result = await call("fail", {"reason": "because"}, Recorder())
    assert (result.success, result.error) == (False, "because")


async def test_slow_sleeps_on_the_clock_that_it_is_given() -> None:
    naps = Naps()
    services = ServiceBag().add(Sleeper, naps)
    assert (await call("slow", {"seconds": 2.5}, Recorder(), services)).success
    assert naps.seconds == [2.5]


async def test_slow_sleeps_for_real_without_a_clock() -> None:
    assert (await call("slow", {"seconds": 0}, Recorder())).success


async def test_create_produces_a_thing_and_log_does_nothing() -> None:
    recorder = Recorder()
    assert (await call("create", {}, recorder)).artifact == {}
    assert (await call("log", {"message": "hi"}, recorder)) == ActionResult()
    assert [c.action for c in recorder.calls] == ["test.create", "test.log"]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("record", {}),
        ("record", {"value": 1}),
        ("log", {"message": ""}),
        ("log", {"message": "x", "level": "loud"}),
        ("slow", {"seconds": -1}),
        ("consumer", {"extra": 1}),
    ],
)
def test_the_configs_of_stubs_are_strict(name: str, config: JsonObject) -> None:
    assert action_of(CATALOG, f"test.{name}").config_schema.faults(config)


async def test_a_stub_without_a_recorder_says_what_is_missing() -> None:
    with pytest.raises(LookupError, match="Recorder"):
        await action_of(CATALOG, "test.record").execute(context({"value": "x"}))


def test_the_triggers_of_the_stubs_are_those_of_the_cases() -> None:
    event, fired = CATALOG.trigger("test.event"), CATALOG.trigger("test.fired")
    assert event is not None
    assert event.context_key is not None
    assert event.context_key({"id": "k"}) == "k"
    assert {"test.event2", "test.other"} <= {t.qualified_id for t in CATALOG.triggers()}
    assert fired is not None
    assert fired.config_schema is not None
    assert fired.config_schema.is_valid({"intervalSeconds": 5})
    for wrong in ({}, {"intervalSeconds": 0}, {"intervalSeconds": 5, "intervall": 6}):
        assert not fired.config_schema.is_valid(wrong)


async def _record_and_die(path: Path, who: int) -> None:
    with Recorder(path) as recorder:
        for n in range(20):
            await call("record", {"value": f"{who}:{n}" + "x" * 5000}, recorder)
        os._exit(9)


def _child(path: Path, who: int) -> None:
    import asyncio

    asyncio.run(_record_and_die(path, who))


async def test_what_killed_processes_recorded_stands_whole_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    fork = get_context("fork")
    children = [fork.Process(target=_child, args=(path, who)) for who in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    read = [call.value.rstrip("x") for call in Recorder.read(path)]
    assert len(read) == 60
    for who in range(3):
        mine = [value for value in read if value.startswith(f"{who}:")]
        assert mine == [f"{who}:{n}" for n in range(20)]


async def test_a_recorder_goes_on_where_another_stopped(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    for value in ("a", "b"):
        with Recorder(path) as recorder:
            await call("record", {"value": value}, recorder)
    assert [call.value for call in Recorder.read(path)] == ["a", "b"]
