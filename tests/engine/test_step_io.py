"""What went into steps and came out of them, as `runs.get` gives it."""

from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, Seen, Stored, engine_fixture, rows, settings_of
from engine.provider import done, provider
from engine.shell import Shell
from engine.test_language import record
from engine.test_retry import retried
from engine.test_sleep import asleep
from lockstep.embedded import Servers
from lockstep.walk.notes import STEPS

Json = dict[str, Any]
shared_loop = pytest.mark.asyncio(loop_scope="session")
pytestmark = shared_loop


def io(seen: Seen, path: str) -> list[tuple[str, Any]]:
    """Give what is kept of a step: what, and the value."""
    return [(one.what, one.value) for one in seen.step(path).io]


async def registered(shared: EngineFixture) -> str:
    """Register a remote action that produces nothing."""
    name = f"io.n{uuid4().hex[:8]}"
    schema: Json = {"type": "object", "additionalProperties": True}
    await shared.call(
        "catalog.actions.register", id=name, display_name="It", category="Tests",
        config_schema=schema, owner="tests",
    )  # fmt: skip
    return name


async def test_the_rendered_config_of_an_action_is_kept(shared: EngineFixture) -> None:
    automation = await shared.automation([record("got {{ trigger.payload.n + 1 }}")])
    seen = await automation.run({"n": 6})
    assert io(seen, "actions[0]") == [("config", {"value": "got 7"})]


async def test_a_config_is_kept_as_far_as_it_could_be_rendered(shared: EngineFixture) -> None:
    name = await registered(shared)
    config = {"first": "{{ 1 + 1 }}", "second": "{{ 1 / trigger.payload.zero }}", "third": 3}
    automation = await shared.automation([{"action": name, "config": config}])
    seen = await automation.run({"zero": 0})
    assert seen.status == "failed"
    assert io(seen, "actions[0]") == [("config", {"first": 2})]


async def test_variables_are_kept_as_they_were_assigned(shared: EngineFixture) -> None:
    block = {"variables": {"a": "{{ trigger.payload.a }}", "b": [1, "x{{ 1 }}"]}}
    late = {"variables": {"c": "{{ variables.a }}", "d": "{{ 1 / 0 }}"}}
    automation = await shared.automation([block, late])
    seen = await automation.run({"a": {"\0": None}})
    assert io(seen, "actions[0]") == [("assigned", {"a": {"\0": None}, "b": [1, "x1"]})]
    assert io(seen, "actions[1]") == [("assigned", {"c": {"\0": None}})]


async def test_each_attempt_keeps_its_error_and_what_a_service_replied(
    shared: EngineFixture,
) -> None:
    name = await registered(shared)

    def answer(request: Json) -> Json:
        if request["attempt"] < 3:
            return {"success": False, "error": f"not the {request['attempt']}"}
        return {"success": True, "artifact": {"token": "t"}, "external_id": "E-1"}

    step = {"action": name, "config": {"x": 1}, "retry": {"attempts": 3, "delay_seconds": 0}}
    automation = await shared.automation([step])
    async with provider(shared, name, answer):
        seen = await automation.run()
    assert io(seen, "actions[0]") == [
        ("config", {"x": 1}), ("error", "not the 1"), ("error", "not the 2"),
        ("result", {"token": "t"}),
    ]  # fmt: skip
    assert [one.attempt for one in seen.step("actions[0]").io] == [None, 1, 2, None]


async def test_a_result_that_follows_an_accepted_call_is_kept(shared: EngineFixture) -> None:
    name = await registered(shared)
    automation = await shared.automation([{"action": name, "config": {}}])
    async with provider(shared, name, lambda _: {"accepted": True}) as service:
        await shared.publish(automation.event, {})
        (asked,) = await service.calls(1)
        key = asked["idempotency_key"]
        await done(shared, key, success=True, artifact={"later": [1]})
        ids = await shared.ended(automation.id, 1)
    assert io(await automation.seen(ids[0]), "actions[0]") == [("result", {"later": [1]})]


async def test_a_wait_keeps_what_it_waited_for_and_the_event_that_ended_it(
    shared: EngineFixture,
) -> None:
    event = f"io.{uuid4().hex[:10]}"
    wait = {"wait_for_trigger": {"event": event, "context_key": "K-{{ trigger.payload.n }}"}}
    automation = await shared.automation([wait])
    await asleep(automation, {"n": 1})
    await shared.publish(event, {"answer": 42}, key="K-1")
    ids = await shared.ended(automation.id, 1)
    assert io(await automation.seen(ids[0]), "actions[0]") == [
        ("config", {"event": event, "context_key": "K-1"}), ("event", {"answer": 42}),
    ]  # fmt: skip


def decided(seen: Seen, path: str) -> list[tuple[str | None, bool | None, dict[str, str]]]:
    """Give what decided at a step: where, whether it holds, the values by their texts."""
    return [
        (one.name, one.holds, {v["text"]: v["value"] for d in one.value for v in d["operands"]})
        for one in seen.step(path).io
        if one.what == "decided"
    ]


async def test_a_choose_keeps_what_decided_each_branch_up_to_the_one_that_was_taken(
    shared: EngineFixture,
) -> None:
    choose: Json = {
        "choose": [
            {"when": "trigger.payload.n > 10 and trigger.payload.ok", "sequence": [record("a")]},
            {"when": {"not": {"numeric_state": {"value": "trigger.payload.n", "above": 7}}},
             "sequence": [record("b")]},
            {"when": "true", "sequence": [record("c")]},
        ]
    }  # fmt: skip
    automation = await shared.automation([choose])
    first = await automation.run({"n": 7, "ok": "yes"})
    assert decided(first, "actions[0]") == [
        ("choose[0].when", False, {"trigger.payload.n": "7"}),
        ("choose[1].when", True, {"trigger.payload.n": "7"}),
    ]
    second = await automation.run({"n": 12, "ok": ""})
    assert decided(second, "actions[0]")[0] == (
        "choose[0].when", False, {"trigger.payload.ok": '""'}
    )  # fmt: skip
    assert [one[1] for one in decided(second, "actions[0]")] == [False, False, True]


async def test_a_guard_and_the_end_of_a_loop_keep_what_they_saw(shared: EngineFixture) -> None:
    count = {"variables": {"n": "{{ variables.n + 1 }}"}}
    automation = await shared.automation(
        [
            {"variables": {"n": 0}},
            {"repeat": {"while": "variables.n < 3", "sequence": [count]}},
            {"repeat": {"until": "variables.n >= 5", "sequence": [count]}},
            {"condition": "variables.n == trigger.payload.wanted"},
        ]
    )
    seen = await automation.run({"wanted": 6})
    assert decided(seen, "actions[1]") == [("repeat.while", False, {"variables.n": "3"})]
    assert decided(seen, "actions[2]") == [("repeat.until", True, {"variables.n": "5"})]
    values = {"variables.n": "5", "trigger.payload.wanted": "6"}
    assert decided(seen, "actions[3]") == [("condition", False, values)]


async def test_a_wait_keeps_what_its_filter_saw_of_the_event_and_the_run(
    shared: EngineFixture,
) -> None:
    event = f"io.{uuid4().hex[:10]}"
    asks = "trigger.payload.n == run_scope.variables.n"
    wait = {"wait_for_trigger": {"event": event, "filter": asks}}
    automation = await shared.automation([{"variables": {"n": 2}}, wait])
    await asleep(automation)
    await shared.publish(event, {"n": 1})
    await shared.publish(event, {"n": 2})
    (run_id,) = await shared.ended(automation.id, 1)
    values = {"trigger.payload.n": "2", "run_scope.variables.n": "2"}
    assert decided(await automation.seen(run_id), "actions[1]") == [("filter", True, values)]


async def test_a_filter_that_asks_for_more_of_its_event_than_is_known_later_tells_nothing(
    shared: EngineFixture,
) -> None:
    event = f"io.{uuid4().hex[:10]}"
    wait = {"wait_for_trigger": {"event": event, "filter": "trigger.actor.type == 'system'"}}
    automation = await shared.automation([wait])
    await asleep(automation)
    await shared.publish(event, {})
    (run_id,) = await shared.ended(automation.id, 1)
    assert decided(await automation.seen(run_id), "actions[0]") == []


async def test_a_retried_run_keeps_what_the_steps_before_did(shared: EngineFixture) -> None:
    name = await registered(shared)
    is_well = False
    automation = await shared.automation(
        [record("first"), {"action": name, "config": {"n": "{{ 1 }}"}}]
    )

    def answer(_: Json) -> Json:
        return {"success": is_well, "error": "not yet"}

    async with provider(shared, name, answer):
        seen = await automation.run()
        is_well = True
        again = await retried(automation, seen)
    assert again.status == "success"
    assert io(again, "actions[0]") == [("config", {"value": "first"})]
    assert io(again, "actions[1]") == [("config", {"n": 1})]


async def test_branches_of_a_parallel_keep_their_own(shared: EngineFixture) -> None:
    branches = [{"sequence": [{"delay": {"template": "0.01"}}, record(f"b{n}")]} for n in range(3)]
    automation = await shared.automation([{"parallel": branches}])
    seen = await automation.run()
    for n in range(3):
        path = f"actions[0].parallel[{n}][0].sequence"
        assert io(seen, f"{path}[0]") == [("config", {"seconds": 0.01})]
        assert io(seen, f"{path}[1]") == [("config", {"value": f"b{n}"})]


async def test_a_long_loop_is_bounded_for_the_run(shared: EngineFixture) -> None:
    body = [{"variables": {"text": "{{ 'x' * 3000 }}"}}]
    automation = await shared.automation([{"repeat": {"count": 600, "sequence": body}}])
    seen = await automation.run()
    query = (
        "select octet_length(io) as size from run_steps where run_id::text = $1 and io is not null"
    )
    dsn = shared.settings.postgres.dsn
    found = await rows(dsn, query, seen.detail.run.id)
    keep = shared.settings.engine.keep_io_bytes
    assert 0 < sum(row["size"] for row in found) <= STEPS * (keep + 1)
    kinds = [one.what for step in seen.detail.steps for one in step.io]
    assert kinds.count("full") == 1
    assert kinds[-1] == "full"


async def test_a_large_value_is_cut_and_says_how_large_it_was(shared: EngineFixture) -> None:
    automation = await shared.automation([record("{{ 'é' * 100000 }}")])
    seen = await automation.run()
    (kept,) = seen.step("actions[0]").io
    assert kept.bytes is not None
    assert kept.bytes > 200_000
    assert kept.value["value"].startswith("ééé")
    assert kept.value["value"].endswith("…")


@pytest.mark.asyncio(loop_scope="session")
async def test_nothing_is_kept_where_it_is_turned_off(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:8]}", keep_io_bytes=0)
    async with engine_fixture(settings) as opened:
        automation: Stored = await opened.automation(
            [{"variables": {"a": 1}}, record("x"), {"delay": {"template": "0.001"}}]
        )
        seen = await automation.run()
        assert seen.status == "success"
        assert [step.io for step in seen.detail.steps] == [[], [], []]
        assert await rows(dsn, "select from run_steps where io is not null") == []


async def test_people_see_the_event_and_what_went_into_steps(
    shared: EngineFixture, shell: Shell
) -> None:
    actions = [
        {"variables": {"who": "{{ trigger.payload.who }}", "long": "{{ 'y' * 9000 }}"}},
        {**record("to {{ variables.who }}"), "id": "told"},
        {"condition": "variables.who == 'Bob'"},
    ]
    automation = await shared.automation(actions)
    seen = await automation.run({"who": "Ann", "more": "x" * 1000})
    run_id = seen.detail.run.id
    plain = (await shell.run("runs", "show", run_id)).check().out
    assert '{"who":"Ann","more":"xxx' in plain
    assert "--io shows all of it" in plain
    assert "to Ann" not in plain
    whole = (await shell.run("runs", "show", run_id, "--io")).check().out
    assert "x" * 1000 in whole
    assert '{"value":"to Ann"}' in whole
    assert "cut: it had 9," in whole
    assert "condition does not hold" in whole
    assert '`variables.who` is "Ann"' in whole
    for name in ("told", "actions[1]"):
        one = (await shell.run("runs", "show", run_id, "--step", name)).check().out
        assert '{"value":"to Ann"}' in one
        assert "yyy" not in one
    (step,) = (await shell.run("runs", "show", run_id, "--step", "told", "--json")).check().json
    assert step["io"] == [{"what": "config", "value": {"value": "to Ann"}}]
    refused = (await shell.run("runs", "show", run_id, "--step", "actions[3]", code=1)).check(1)
    assert "has not come to a step 'actions[3]'; did you mean" in refused.err
