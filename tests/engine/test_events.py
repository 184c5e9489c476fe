"""From an event to its runs: what is refused, what is started, and how often."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import msgspec
import nats
import pytest

from engine.engine_fixture import EngineFixture, engine_fixture, settings_of
from engine.test_language import record
from engine.test_sleep import holding
from lockstep import bus
from lockstep.embedded import Servers
from lockstep.model.errors import Unavailable
from lockstep_schemas.events import HEADER_ACTOR, HEADER_HOP
from patience import LIMIT_SECONDS, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


async def dead_letter(engine_fixture: EngineFixture, event: str) -> Any:
    """Wait for the dead letter of an event; give the message as nats-py has it."""
    client = await nats.connect(engine_fixture.settings.nats.servers[0])
    try:
        names = engine_fixture.connection.names
        subscription = await client.jetstream().subscribe(
            names.dead(event), stream=names.dead_stream, ordered_consumer=True
        )
        return await subscription.next_msg(timeout=LIMIT_SECONDS)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"not json", {}, "no JSON"),
        (b"\xff\xfe", {}, "no JSON"),
        (b"[1, 2]", {}, "no JSON object but a list"),
        (b'"text"', {}, "no JSON object but a text"),
        (b"", {}, "no JSON"),
        (b"[" * 100_000, {}, "nests deeper than 64 levels"),
        (b'{"a":' * 976 + b"1" + b"}" * 976, {}, "nests deeper than 64 levels"),
        (b"{}", {HEADER_HOP: "17"}, "past the limit of 16"),
        (b"{}", {HEADER_HOP: "many"}, "a number from 0 was expected"),
        (b"{}", {HEADER_ACTOR: "{"}, "no actor"),
    ],
    ids=[
        "text",
        "bytes",
        "list",
        "string",
        "empty",
        "deep",
        "deep object",
        "hop",
        "hop text",
        "actor",
    ],
)
async def test_a_message_that_can_never_be_handled_is_dead_lettered_untouched_with_the_reason(
    shared: EngineFixture,
    body: bytes,
    headers: dict[str, str],
    reason: str,
    request: pytest.FixtureRequest,
) -> None:
    event = f"poison.{abs(hash(request.node.name)) % 10**9}"
    automation = await shared.automation([record("x")], event=event)
    await shared.publish(event, body, **headers)
    letter = await dead_letter(shared, event)
    assert letter.data == body
    assert reason in letter.headers["Lockstep-Reason"]
    assert (await shared.call("runs.list", automation_id=automation.id))["total"] == 0


@pytest.mark.parametrize("mode", ["single", "parallel", "queued", "restart"])
async def test_an_event_as_deep_as_is_taken_passes_through_all_that_a_run_does(
    shared: EngineFixture, mode: str
) -> None:
    body = b'{"a":' * 64 + b"1" + b"}" * 64
    automation = await shared.automation(
        [
            {"variables": {"kept": {"again": "{{ trigger.payload }}"}}},
            {"repeat": {"count": 2, "sequence": [{"delay": {"template": "0.05"}}]}},
            record("{{ trigger.payload.a.a is defined }} {{ variables.kept | json | length }}"),
        ],
        mode=mode,
    )
    for _ in range(2):
        await shared.publish(automation.event, body)
    await shared.ended(automation.id, 2)
    seen = [await automation.seen(one) for one in shared.finals(automation.id)]
    assert {one.status for one in seen} <= {"success", "cancelled", "skipped"}
    (last,) = {one.recorded[0] for one in seen if one.status == "success"}
    assert last.startswith("true")


async def test_events_of_the_engine_itself_are_dead_lettered_from_outside(
    shared: EngineFixture,
) -> None:
    await shared.publish("automation.cron", {})
    letter = await dead_letter(shared, "automation.cron")
    assert "the engine's own" in letter.headers["Lockstep-Reason"]


async def test_a_payload_with_a_zero_byte_is_stored_and_walked(shared: EngineFixture) -> None:
    automation = await shared.automation([record("{{ trigger.payload.a | length }}")])
    assert (await automation.run({"a": "x\x00y"})).recorded == ["3"]


async def test_an_error_text_with_a_zero_byte_does_not_stop_the_run_from_ending(
    shared: EngineFixture,
) -> None:
    fail = {"action": "test.fail", "config": {"reason": "{{ trigger.payload.a }}"}}
    seen = await (await shared.automation([fail])).run({"a": "x\x00y"})
    assert (seen.status, seen.error) == ("failed", "x\N{REPLACEMENT CHARACTER}y")


async def test_one_event_that_cannot_be_stored_does_not_keep_others_from_their_runs(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("{{ trigger.payload.n }}")], event="test.event")
    # test.event takes /id as context key; a text column cannot hold a zero byte
    bad = json.dumps({"id": "a\x00b"}).encode()
    subject = shared.connection.names.trigger("test.event")
    publisher = bus.Publisher(shared.connection)
    bodies = [json.dumps({"id": "k", "n": n}).encode() for n in range(5)]
    async with asyncio.TaskGroup() as group:
        for body in [*bodies[:2], bad, *bodies[2:]]:
            group.create_task(publisher.publish(subject, body, {}))
    await shared.ended(automation.id, 5)
    letter = await dead_letter(shared, "test.event")
    assert letter.data == bad
    await shared.call("automations.delete", id=automation.id)


async def test_the_same_message_id_starts_one_run_however_often_it_is_published(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("x")])
    other = await shared.automation([record("y")])
    for _ in range(3):
        await shared.publish(automation.event, {}, **{"Nats-Msg-Id": f"once-{automation.id}"})
    await automation.run()
    await other.run()
    assert (await shared.call("runs.list", automation_id=automation.id))["total"] == 2


async def test_the_context_key_is_that_of_the_header_else_of_the_trigger_type(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([record("x")], event="test.event")
    seen = await automation.run({"id": "from payload"}, key="from header")
    assert seen.detail.run.context_key == "from header"
    seen = await automation.run({"id": "from payload"}, key=None)
    assert seen.detail.run.context_key is None, "an empty header means null"
    subject = shared.connection.names.trigger("test.event")
    await bus.Publisher(shared.connection).publish(subject, b'{"id": 5}', {})
    seen = await automation.seen((await shared.ended(automation.id, 3))[-1])
    assert seen.detail.run.context_key == "5"
    await shared.call("automations.delete", id=automation.id)


async def test_filter_and_all_conditions_must_hold_for_a_run_to_start(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [record("{{ trigger.payload.n }}")],
        event="e.conditions",
        triggers=[{"event": "e.conditions", "filter": "trigger.payload.n > 1"}],
        conditions=["trigger.payload.n < 4", {"not": "trigger.payload.n == 2"}],
    )
    for n in (1, 2, 4):
        await shared.publish("e.conditions", {"n": n})
    assert (await automation.run({"n": 3})).recorded == ["3"]
    assert (await shared.call("runs.list", automation_id=automation.id))["total"] == 1


async def test_two_triggers_that_both_match_start_two_runs_in_order_of_definition(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation(
        [record("{{ trigger.id }}")],
        event="e.two",
        triggers=[{"event": "e.two"}, {"event": "e.two", "id": "second"}, {"event": "e.two"}],
    )
    await shared.publish("e.two", {})
    await shared.ended(automation.id, 3)
    page = await shared.call("runs.list", automation_id=automation.id)
    assert [run["trigger_id"] for run in page["items"]] == ["e_two_2", "second", "e_two"]


async def test_single_refuses_a_start_while_a_run_is_active_and_says_so(
    shared: EngineFixture,
) -> None:
    action, release = holding(shared)
    automation = await shared.automation([action], mode="single")
    await shared.publish(automation.event, {})
    await shared.publish(automation.event, {})
    skipped = await shared.heard(automation.id, "skipped")
    release.set()
    assert skipped.data.reason == "mode single: a run is active"
    await shared.ended(automation.id, 2)
    page = await shared.call("runs.list", automation_id=automation.id)
    assert sorted(run["status"] for run in page["items"]) == ["skipped", "success"]
    assert (await shared.call("runs.list", automation_id=automation.id, status="skipped"))["items"][
        0
    ]["reason"] == "mode single: a run is active"


async def test_parallel_refuses_a_start_at_max_runs(shared: EngineFixture) -> None:
    action, release = holding(shared)
    automation = await shared.automation([action], mode="parallel", max_runs=2)
    for _ in range(3):
        await shared.publish(automation.event, {})
    skipped = await shared.heard(automation.id, "skipped")
    release.set()
    assert "max_runs is 2" in (skipped.data.reason or "")
    await shared.ended(automation.id, 3)


async def test_the_scope_context_key_counts_the_runs_of_one_key_null_being_a_key(
    shared: EngineFixture,
) -> None:
    action, release = holding(shared)
    automation = await shared.automation([action], mode="single", concurrency_scope="context_key")
    for key in ("a", "b", None, "a", None):
        await shared.publish(automation.event, {}, key=key)
    await until(lambda: len(shared.finals(automation.id)) == 2)  # the two that are refused
    release.set()
    await shared.ended(automation.id, 5)
    page = await shared.call("runs.list", automation_id=automation.id)
    found = sorted((run["context_key"] or "", run["status"]) for run in page["items"])
    assert found == [
        ("", "skipped"),
        ("", "success"),
        ("a", "skipped"),
        ("a", "success"),
        ("b", "success"),
    ]


async def test_what_nats_publish_sends_starts_the_next_automation_one_hop_further(
    shared: EngineFixture,
) -> None:
    second = await shared.automation([record("{{ trigger.payload.n }} {{ trigger.hop }}")])
    subject = shared.connection.names.trigger(second.event)
    action = {"action": "nats.publish", "config": {"subject": subject, "payload": {"n": 1}}}
    await (await shared.automation([action])).run()
    seen = await second.seen((await shared.ended(second.id, 1))[0])
    assert seen.recorded == ["1 1"]


async def test_an_automation_that_starts_itself_is_ended_by_the_hop_limit(
    shared: EngineFixture,
) -> None:
    subject = shared.connection.names.trigger("e.loop")
    action = {"action": "nats.publish", "config": {"subject": subject, "payload": {}}}
    automation = await shared.automation([action], event="e.loop")
    await shared.publish("e.loop", {})
    letter = await dead_letter(shared, "e.loop")
    assert "a loop of automations?" in letter.headers["Lockstep-Reason"]
    assert len(await shared.ended(automation.id, 17)) == 17


async def test_the_trace_of_an_event_is_carried_to_what_its_run_publishes(
    shared: EngineFixture,
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    subject = shared.connection.names.trigger("e.traced")
    act = {"action": "nats.publish", "config": {"subject": subject, "payload": {}}}
    automation = await shared.automation([{"delay": {"seconds": 1}}, act])
    async with bus.follow(shared.connection, subject) as feed:
        await automation.run({}, traceparent=trace)
        note = await anext(feed)
    assert note.headers["traceparent"] == trace


async def test_a_full_stream_refuses_its_publisher_and_drops_nothing(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"f{uuid4().hex[:10]}")
    small = msgspec.structs.replace(settings.nats, triggers_max_bytes=20_000)
    async with engine_fixture(msgspec.structs.replace(settings, nats=small)) as only:
        automation = await only.automation([record("x")])
        only.assembly.loops.lanes[0].puller.pause()
        stored, refusal = 0, None
        while refusal is None and stored < 1000:
            try:
                await only.publish(automation.event, {"text": "t" * 1000})
                stored += 1
            except Unavailable as error:
                refusal = error
        assert refusal is not None, "twenty thousand bytes hold a thousand events"
        only.assembly.loops.lanes[0].puller.resume()
        assert len(await only.ended(automation.id, stored)) == stored
        await automation.run()
