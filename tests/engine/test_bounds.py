"""What goes out is bounded where it is made: what is too large ends nothing but its step."""

from collections.abc import AsyncIterator
from secrets import token_hex
from uuid import uuid4

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from engine.engine_fixture import EngineFixture, engine_fixture, rows, settings_of
from engine.provider import provider
from engine.test_language import record
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

    registry.artifact("thing")

    @registry.action("make", produces="thing")
    async def make(context: ActionContext) -> ActionResult:
        return ActionResult(artifact={"text": "x" * 1_200_000})

    @registry.action("name", produces="thing")
    async def name(context: ActionContext) -> ActionResult:
        return ActionResult(artifact={}, external_id="x" * 5000)

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


BIG = "{{ 'x' * 700000 }}"
FEW = [{"variables": {"x": "{{ 'x' * 900000 }}"}}]
TOO_LARGE = {
    "artifact": (
        [{"id": "a", "action": "loud.make", "config": {}}],
        "artifact loud.thing: 1,200,011 bytes, at most 1,048,576 are allowed",
    ),
    "external id": (
        [{"id": "a", "action": "loud.name", "config": {}}],
        "external_id: 5,002 bytes, at most 4,096 are allowed",
    ),
    "config": (
        [{"action": "nats.publish", "config": {"subject": "b.s", "payload": {"a": BIG, "b": BIG}}}],
        "at most 1,048,576 are allowed, of which config.payload has 1,400,015",
    ),
    "variables": (
        [*FEW, {"variables": {"y": BIG}}],
        "setting 'y' would make the variables and artifacts of the run 1600014 bytes, 1048576 are",
    ),
    "context key of a wait": (
        [{"wait_for_trigger": {"event": "x.y", "context_key": BIG}}],
        "wait_for_trigger.context_key: 700,002 bytes, at most 4,096 are allowed",
    ),
    "message": (
        [
            {
                "action": "nats.publish",
                "config": {"subject": "b.s", "payload": "{{ 'x' * 1048500 }}"},
            }
        ],
        "not published to 'b.s': payload: b.s: 1048591 bytes with headers, NATS takes 1048576",
    ),
}


@pytest.mark.parametrize(("actions", "said"), TOO_LARGE.values(), ids=TOO_LARGE)
async def test_a_step_whose_value_is_too_large_fails_with_size_limit_and_field(
    opened: EngineFixture, actions: list[object], said: str
) -> None:
    stored = await opened.automation([*actions, record("x")])
    seen = await stored.run()
    assert seen.status == "failed"
    assert said in seen.error
    assert seen.detail.steps[-1].status == "failed", "the step says it too"
    assert said in (seen.detail.steps[-1].error_message or "")
    tolerant = [{**actions[-1], "continue_on_error": True}]  # type: ignore[dict-item] # an action
    stored = await opened.automation([*actions[:-1], *tolerant])
    assert (await stored.run()).status == "success", "it is the step that fails, not the run"


async def test_a_run_that_would_have_to_keep_too_much_ends_and_says_why(
    opened: EngineFixture,
) -> None:
    branch = {"sequence": [{"variables": {"x": "{{ 'x' * 1000000 }}"}}, {"delay": {"seconds": 9}}]}
    stored = await opened.automation([{"parallel": [branch] * 9}])
    seen = await stored.run()
    assert seen.status == "failed"
    assert "bytes, at most 8,388,608 are kept" in seen.error
    assert seen.detail.waits == []


async def test_a_request_that_no_service_can_be_sent_fails_its_step_with_what_is_large(
    opened: EngineFixture,
) -> None:
    kind = {"id": "post.send", "display_name": "Send", "category": "c", "owner": "post"}
    await opened.call("catalog.actions.register", **kind, config_schema={"type": "object"})
    send = {"action": "post.send", "config": {"text": "{{ 'x' * 300000 }}"}}
    stored = await opened.automation([*FEW, send])
    async with provider(opened, "post.send", lambda _: {"success": True}) as service:
        seen = await stored.run()
        assert service.asked == []
    assert seen.status == "failed"
    assert "with headers, NATS takes 1048576; of the request, in bytes: config 300,0" in seen.error


RUNS = 200


async def test_two_hundred_runs_with_scopes_of_930_kb_all_end(opened: EngineFixture) -> None:
    """Text that no compression makes smaller; the checkpoints of all would be 186 MB."""
    actions = [
        {"variables": {"x": "{{ trigger.payload.x * 46 }}"}},
        {"delay": {"seconds": 1}},
        record("{{ variables.x | length }}"),
    ]
    stored = await opened.automation(actions)
    for _ in range(RUNS):
        await opened.publish(stored.event, {"x": token_hex(10_110)})
    await opened.ended(stored.id, RUNS)
    assert {e.data.error for e in opened.events[stored.id] if e.type.endswith("failed")} == set()
    assert [one.value for one in opened.recorder.records] == ["930120"] * RUNS
