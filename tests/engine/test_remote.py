"""Remote actions: registration, call, late results, retries, and providers that go wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.provider import done, provider
from engine.test_control import refused
from engine.test_language import record
from lockstep import bus
from lockstep.embedded import Servers
from patience import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
SCHEMA: Json = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "times": {"type": "integer"}},
    "required": ["to"],
}
_numbers = iter(range(1_000_000))


async def registered(engine_fixture: EngineFixture, **fields: object) -> str:
    """Register an action of its own; give its id."""
    action = f"mail{next(_numbers)}.send"
    await engine_fixture.call(
        "catalog.actions.register",
        **{
            "id": action, "display_name": "Send mail", "owner": "mailer", "config_schema": SCHEMA,
            "produces": "receipt", **fields,
        },
    )  # fmt: skip
    return action


async def sending(engine_fixture: EngineFixture, action: str, **fields: object) -> Stored:
    """An automation that sends a mail and records the receipt."""
    step = {"id": "sent", "action": action, "config": {"to": "{{ trigger.payload.to }}"}, **fields}
    return await engine_fixture.automation([step, record("{{ artifacts.sent.receipt.number }}")])


async def test_a_service_provides_an_action_and_its_answer_is_the_artifact(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    answer = {"success": True, "artifact": {"number": "R-7"}, "external_id": "x-1"}
    async with provider(shared, action, lambda _: answer) as asked:
        seen = await stored.run({"to": "Ann"}, key="k1")
    assert (seen.status, seen.recorded) == ("success", ["R-7"])
    (request,) = asked.asked
    run_id = seen.detail.run.id
    assert request.pop("scope")["trigger"]["payload"] == {"to": "Ann"}
    assert request == {
        "config": {"to": "Ann"}, "consumed_artifacts": {}, "run_id": run_id,
        "automation_id": stored.id, "context_key": "k1", "step_path": "actions[0]",
        "attempt": 1, "idempotency_key": f"{run_id}:actions[0]",
    }  # fmt: skip
    assert seen.step("actions[0]").result == {
        "artifact": {"number": "R-7"}, "external_id": "x-1",
    }  # fmt: skip


async def test_an_answer_that_nests_too_deep_is_a_failure_of_the_step(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    deep: object = 1
    for _ in range(65):
        deep = {"a": deep}
    async with provider(shared, action, lambda _: {"success": True, "artifact": {"number": deep}}):
        seen = await stored.run({"to": "Ann"})
    assert seen.status == "failed"
    assert "the artifact nests deeper than 65 levels" in seen.error


async def test_the_provider_is_told_the_hop_and_the_trace(shared: EngineFixture) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with provider(shared, action, lambda _: {"success": True}) as asked:
        await stored.run({"to": "Ann"}, **{"Lockstep-Hop": "3", "traceparent": trace})
    assert b"Lockstep-Hop: 4" in asked.heads[0]
    assert trace.encode() in asked.heads[0]


async def test_what_the_catalog_says_of_a_registered_action(shared: EngineFixture) -> None:
    action = await registered(shared, timeout_seconds=7, retry_safe=False, category="Mail")
    (shown,) = [
        one
        for one in (await shared.call("catalog.actions"))["items"]
        if one["qualified_id"] == action
    ]
    assert (shown["owner_plugin_id"], shown["source"], shown["category"]) == (
        "mailer", "bus", "Mail",
    )  # fmt: skip
    assert shown["config_schema"]["properties"] == SCHEMA["properties"]
    assert (shown["timeout_seconds"], shown["retry_safe"]) == (7, False)
    assert shown["produces"] == f"{action.partition('.')[0]}.receipt"


async def test_a_definition_is_checked_against_the_schema_of_a_registered_action(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    step = {"id": "sent", "action": action, "config": {"two": "Ann"}}
    definition = {"name": "x", "triggers": [{"event": "e"}], "actions": [step]}
    found = await shared.call("automations.validate", definition=definition)
    assert {".".join(map(str, issue["path"])) for issue in found["errors"]} == {
        "actions.0.config", "actions.0.config.to",
    }  # fmt: skip


async def test_a_type_is_its_owners_to_change(shared: EngineFixture) -> None:
    action = await registered(shared)
    await shared.call("catalog.actions.register", id=action, owner="mailer", timeout_seconds=9)
    body = await refused(shared, "catalog.actions.register", id=action, owner="thief")
    assert body["code"] == "conflict"
    body = await refused(shared, "catalog.actions.register", id="test.record", owner="thief")
    assert (body["code"], "already registered" in body["message"]) == ("conflict", True)
    for own in ("automation.mine", "nats.mine", "http.mine", "lockstep.mine"):
        body = await refused(shared, "catalog.actions.register", id=own, owner="thief")
        assert body["code"] == "bad_request"


@pytest.mark.parametrize(
    ("endpoint", "fields", "path"),
    [
        ("catalog.actions.register", {"config_schema": {"type": 7}}, "config_schema"),
        ("catalog.actions.register", {"config_schema": {"type": "array"}}, "config_schema"),
        ("catalog.actions.register", {"timeout_seconds": 0}, "timeout_seconds"),
        ("catalog.actions.register", {"id": "alone"}, "id"),
        ("catalog.actions.register", {"closes": ["paper"]}, "closes"),
        ("catalog.triggers.register", {"payload_schema": {"type": "string"}}, "payload_schema"),
        ("catalog.triggers.register", {"context_key": "a +"}, "context_key"),
        ("catalog.triggers.register", {"id": "automation.mine"}, "id"),
        ("catalog.triggers.register", {"id": "a..b"}, "id"),
    ],
)
async def test_a_wrong_type_is_refused_with_the_path(
    shared: EngineFixture, endpoint: str, fields: Json, path: str
) -> None:
    body = await refused(shared, endpoint, **{"id": "bad.type", "owner": "o", **fields})
    assert body["code"] == "bad_request"
    assert body["issues"][0]["path"][:1] == [path]


async def test_registering_the_same_again_changes_nothing(shared: EngineFixture) -> None:
    action = await registered(shared)
    revision = shared.assembly.knowledge.index.revision
    fields = {"display_name": "Send mail", "config_schema": SCHEMA, "produces": "receipt"}
    await shared.call("catalog.actions.register", id=action, owner="mailer", **fields)
    await shared.assembly.knowledge.index.refresh()
    assert shared.assembly.knowledge.index.revision == revision


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"no json", "answered nonsense"),
        (b"", "answered nonsense"),
        (b"[]", "answered nonsense"),
        (b"{}", "`success` is missing"),
        ({"success": "maybe"}, "answered nonsense"),
        ({"success": True, "artifact": 7}, "answered nonsense"),
        ({"success": False}, "gave no reason"),
        ({"success": False, "error": "mailbox full"}, "mailbox full"),
    ],
)
async def test_a_failing_answer_or_nonsense_fails_the_step(
    shared: EngineFixture, answer: bytes | Json, words: str
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    async with provider(shared, action, lambda _: answer):
        seen = await stored.run({"to": "Ann"})
    assert seen.status == "failed"
    assert words in seen.error


async def test_an_artifact_that_breaks_its_schema_fails_the_step(shared: EngineFixture) -> None:
    schema = {"type": "object", "properties": {"number": {"type": "string"}}}
    action = await registered(shared, produces_schema=schema)
    stored = await sending(shared, action)
    async with provider(shared, action, lambda _: {"success": True, "artifact": {"number": 7}}):
        seen = await stored.run({"to": "Ann"})
    assert seen.status == "failed"
    assert "number" in seen.error


async def test_nobody_there_fails_at_once_and_says_where_somebody_was_looked_for(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    seen = await stored.run({"to": "Ann"})
    assert seen.status == "failed"
    assert f"nobody provides '{action}'" in seen.error
    assert shared.connection.names.action(action) in seen.error


async def test_retries_ask_again_with_the_same_key_and_the_next_attempt(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    retry = {"attempts": 3, "delay_seconds": 1, "backoff": "constant"}
    stored = await sending(shared, action, retry=retry)
    replies = iter([
        {"success": False, "error": "busy", "retry_after_ms": 1},
        {"success": False, "error": "busy", "retry_after_ms": 1},
        {"success": True, "artifact": {"number": "R-3"}},
    ])  # fmt: skip
    async with provider(shared, action, lambda _: next(replies)) as asked:
        seen = await stored.run({"to": "Ann"})
    assert (seen.status, seen.recorded) == ("success", ["R-3"])
    assert [request["attempt"] for request in asked.asked] == [1, 2, 3]
    assert len({request["idempotency_key"] for request in asked.asked}) == 1


async def test_no_answer_in_time_fails_the_step(shared: EngineFixture) -> None:
    action = await registered(shared)
    stored = await sending(shared, action, timeout_seconds=1)
    async with provider(shared, action, lambda _: None):
        seen = await stored.run({"to": "Ann"})
    assert seen.status == "failed"
    assert "no result within 1 s" in seen.error


async def test_accepted_work_suspends_the_run_until_its_result_is_published(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    async with provider(shared, action, lambda _: {"accepted": True}) as asked:
        await shared.publish(stored.event, {"to": "Ann"})
        waiting = await shared.heard(stored.id, "waiting")
        detail = await shared.call("runs.get", id=waiting.data.run_id)
        assert detail["run"]["status"] == "waiting"
        assert [wait["kind"] for wait in detail["waits"]] == ["remote"]
        assert f"result of {action}" in detail["run"]["waiting_for"]
        key = asked.asked[0]["idempotency_key"]
        await done(shared, key, success=True, artifact={"number": "R-9"})
        await shared.ended(stored.id, 1)
        await done(shared, key, success=False, error="too late")
    seen = await stored.seen(waiting.data.run_id)
    assert (seen.status, seen.recorded) == ("success", ["R-9"])
    assert not seen.detail.waits


@pytest.mark.parametrize(
    ("answered", "seconds"),
    [
        pytest.param(True, 3600, id="late"),
        pytest.param(False, 8, id="never"),  # the run goes on when the time of the call is over
    ],
)
async def test_a_result_that_comes_before_the_answer_counts(
    shared: EngineFixture, answered: bool, seconds: int
) -> None:
    action = await registered(shared)
    stored = await sending(shared, action, timeout_seconds=seconds)
    async with provider(shared, action, lambda _: None) as asked:
        await shared.publish(stored.event, {"to": "Ann"})
        (request,) = await asked.calls(1)
        await done(shared, request["idempotency_key"], success=True, artifact={"number": "R-1"})
        fired = "select from waits where run_id = $1 and state = 'fired'"
        dsn, asker = shared.settings.postgres.dsn, UUID(request["run_id"])
        await until(lambda: rows(dsn, fired, asker))
        if answered:
            shared.connection.post(asked.replies[0], b'{"accepted": true}')
        (run_id,) = await shared.ended(stored.id, 1)
    seen = await stored.seen(run_id)
    assert (seen.status, seen.recorded) == ("success", ["R-1"])


async def test_accepted_work_without_a_result_fails_after_its_time_and_is_retried(
    shared: EngineFixture,
) -> None:
    action = await registered(shared)
    retry = {"attempts": 2, "delay_seconds": 0, "backoff": "constant"}
    stored = await sending(shared, action, retry=retry)
    replies = iter([{"accepted": True}, {"success": True, "artifact": {"number": "R-2"}}])
    async with provider(shared, action, lambda _: next(replies)) as asked:
        await shared.publish(stored.event, {"to": "Ann"})
        run_id = (await shared.heard(stored.id, "waiting")).data.run_id
        await shared.make_due(run_id)
        await shared.ended(stored.id, 1)
    seen = await stored.seen(run_id)
    assert (seen.status, seen.recorded) == ("success", ["R-2"])
    assert [request["attempt"] for request in asked.asked] == [1, 2]


async def test_a_failed_result_fails_the_step_with_its_error(shared: EngineFixture) -> None:
    action = await registered(shared)
    stored = await sending(shared, action)
    async with provider(shared, action, lambda _: {"accepted": True}) as asked:
        await shared.publish(stored.event, {"to": "Ann"})
        await shared.heard(stored.id, "waiting")
        await done(shared, asked.asked[0]["idempotency_key"], success=False, error="bounced")
        (run_id,) = await shared.ended(stored.id, 1)
    seen = await stored.seen(run_id)
    assert (seen.status, "bounced" in seen.error) == ("failed", True)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"success": True}, "no result of a remote action"),
        ({"idempotency_key": "x", "success": True}, "<run id>:<step path>"),
        ({"idempotency_key": f"{uuid4()}:actions[0]", "success": True}, "was ever called"),
        ({"idempotency_key": f"{uuid4()}:a\x00", "success": True}, "<run id>:<step path>"),
    ],
)
async def test_a_result_of_no_step_is_a_dead_letter(
    shared: EngineFixture, payload: Json, words: str
) -> None:
    subject = shared.connection.names.dead("lockstep.action.done")
    async with bus.follow(shared.connection, subject) as feed:
        await shared.publish("lockstep.action.done", payload)
        async for note in feed:
            assert words in note.headers["Lockstep-Reason"]
            break


@pytest_asyncio.fixture(loop_scope="session")
async def two(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Two replicas that take registered events only."""
    settings = settings_of(servers.nats_url, dsn, f"t{uuid4().hex[:10]}", batch_size=1)
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(engine_fixture(settings, is_open=False))
            for _ in range(2)
        ]


async def test_a_type_is_known_to_every_replica_for_every_event_after_the_reply(
    two: list[EngineFixture], dsn: str
) -> None:
    first, _ = two
    for number in range(20):
        event = f"shop.order{number}"
        schema = {"type": "object", "required": ["id"]}
        await first.call(
            "catalog.triggers.register",
            id=event, owner="shop", payload_schema=schema, context_key="/id",
        )  # fmt: skip
        definition = {"name": event, "triggers": [{"event": event}], "mode": "parallel"}
        made = await first.call("automations.create", name=event, definition=definition)
        names = first.connection.names
        publisher = bus.Publisher(first.connection)
        body = msgspec.json.encode({"id": f"o{number}"})
        for _ in range(4):  # so that both replicas have some
            await publisher.publish(names.trigger(event), body, {})
        run_ids = await first.ended(made["id"], 4)
        found = await rows(dsn, "select context_key from runs where id = any($1::uuid[])", run_ids)
        assert {row["context_key"] for row in found} == {f"o{number}"}


async def test_a_changed_type_is_in_force_for_every_event_after_the_reply(
    two: list[EngineFixture], dsn: str
) -> None:
    first, _ = two
    event = "shop.changing"
    await first.call("catalog.triggers.register", id=event, owner="shop")
    definition = {"name": event, "triggers": [{"event": event}], "mode": "parallel"}
    made = await first.call("automations.create", name=event, definition=definition)
    publisher, subject = bus.Publisher(first.connection), first.connection.names.trigger(event)
    for number in range(20):
        fields = {"context_key": f"/k{number}", "owner": "shop"}
        await first.call("catalog.triggers.register", id=event, **fields)
        body = msgspec.json.encode({f"k{number}": f"v{number}"})
        await asyncio.gather(*(publisher.publish(subject, body, {}) for _ in range(3)))
        await first.ended(made["id"], 3 * (number + 1))
    query = "select count(*) from runs where automation_id = $1 and context_key is null"
    assert [row[0] for row in await rows(dsn, query, made["id"])] == [0]
