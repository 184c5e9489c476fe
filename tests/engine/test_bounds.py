"""What goes out is bounded where it is made: what is too large ends nothing but its step."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.run_events import EVENT_BYTES
from lockstep.model.texts import TEXT_BYTES
from lockstep.model.types import ActionContext, ActionResult

LONG = "{{ 'ä' * 500000 }}"


def plugin(registry: Registry) -> None:
    """Actions of a service that says too much."""

    @registry.action("fail")
    async def fail(context: ActionContext) -> ActionResult:
        return ActionResult(success=False, error="ä" * 1_000_000)

    @registry.action("raise")
    async def raise_(context: ActionContext) -> None:
        raise ValueError("ä" * 1_000_000)


@pytest_asyncio.fixture
async def opened(servers: Servers, dsn: str) -> AsyncIterator[EngineFixture]:
    """An engine with that plug-in."""
    settings = settings_of(servers.nats_url, dsn, f"b{uuid4().hex[:12]}")
    # The log of tests folds a text of a megabyte for minutes; that of an engine cuts it.
    with capture_logs():
        async with engine_fixture(settings) as made:
            made.assembly.knowledge.catalog.register("loud", plugin)
            yield made


STOPS = {
    "stop with error": [{"stop": {"error": True, "reason": "{{ 'a' * 1048000 }}"}}],
    "stop": [{"stop": {"reason": LONG}}],
    "stop in a branch": [{"parallel": [{"stop": {"error": True, "reason": LONG}}]}],
    "an action's words": [{"action": "loud.fail", "config": {}}],
    "an action's exception": [{"action": "loud.raise", "config": {}}],
    "an action that is tried again": [
        {"action": "loud.fail", "config": {}, "retry": {"attempts": 2, "delay_seconds": 0.1}}
    ],
}


@pytest.mark.parametrize("actions", STOPS.values(), ids=STOPS)
async def test_whatever_a_run_says_of_its_end_is_cut_in_its_events_and_rows(
    opened: EngineFixture, actions: list[object]
) -> None:
    stored = await opened.automation(actions)
    await opened.publish(stored.event, {}, key="ä" * 20_000)
    (run_id,) = await opened.ended(stored.id, 1)
    for event in opened.events[stored.id]:
        for text in (event.data.reason, event.data.error, event.data.waiting_for):
            assert text is None or len(text.encode()) <= TEXT_BYTES
    last = opened.events[stored.id][-1].data
    assert (last.error or last.reason or "").endswith("…")
    assert (last.context_key or "").endswith("…")
    shown = (await opened.call("runs.get", id=run_id))["run"]
    assert len((shown["error_message"] or shown["reason"]).encode()) <= TEXT_BYTES
    dsn = opened.settings.postgres.dsn
    longest = "select max(octet_length(error_message)) from run_steps"
    assert ((await rows(dsn, longest))[0][0] or 0) <= TEXT_BYTES


async def test_the_reason_of_who_cancels_is_cut(opened: EngineFixture) -> None:
    stored = await opened.automation([{"delay": {"seconds": 600}}])
    await opened.publish(stored.event, {})
    run_id = (await opened.heard(stored.id, "waiting")).data.run_id
    await opened.call("runs.cancel", id=run_id, reason="ä" * 100_000)
    told = (await opened.heard(stored.id, "cancelled")).data.reason
    assert told is not None
    assert len(told.encode()) <= TEXT_BYTES
    assert told.endswith("…")


async def test_a_loop_that_warns_in_each_iteration_keeps_a_bounded_row(
    opened: EngineFixture,
) -> None:
    loop = {"until": "1 / 0", "max_iterations": 60, "sequence": [{"variables": {"x": 1}}]}
    stored = await opened.automation([{"repeat": loop}])
    await opened.publish(stored.event, {})
    (run_id,) = await opened.ended(stored.id, 1)
    steps = (await opened.call("runs.get", id=run_id))["steps"]
    (kept,) = [step["result"]["warnings"] for step in steps if step["action_kind"] == "repeat"]
    assert 1 < len(kept) < 60
    assert "max_iterations" in kept[-1]
    told = [e for e in opened.events[stored.id] if e.type.endswith(".warning")]
    assert len(told) == 61, "ops hear of each"


async def test_no_run_event_is_larger_than_64_kib(opened: EngineFixture) -> None:
    """Each character of these is six bytes in JSON."""
    worst = "{{ ('%c' * 300000) | replace('%c', trigger.payload.c) }}"
    stored = await opened.automation([{"stop": {"error": True, "reason": worst}}])
    await opened.publish(stored.event, {"c": "\x01"})
    await opened.ended(stored.id, 1)
    said = max(len(str(event.data.error).encode()) for event in opened.events[stored.id])
    assert said <= TEXT_BYTES
    assert EVENT_BYTES == 65536
