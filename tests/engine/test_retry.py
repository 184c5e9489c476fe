"""`runs.retry`: a run once more, from its start or from where it failed."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, Seen, Stored, rows
from engine.test_language import fail, record
from engine.test_sleep import asleep, heard, whats
from failing_actions import REASON, Faults, with_faults

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faults(shared: EngineFixture) -> Faults:
    """What fails, of the actions of the shared engine."""
    return with_faults(shared.assembly.knowledge.catalog)


async def failed_at(automation: Stored, faults: Faults, path: str, **payload: object) -> Seen:
    """Run it; it fails at this step, once."""
    faults.put(automation.id, path)
    seen = await automation.run(payload)
    assert seen.status == "failed"
    assert REASON in seen.error
    return seen


async def retried(automation: Stored, seen: Seen, **how: object) -> Seen:
    """Retry a run, and wait for the end of the new one."""
    reply = await automation.engine_fixture.call("runs.retry", id=seen.detail.run.id, **how)
    automation.ended += 1
    await automation.engine_fixture.ended(automation.id, automation.ended)
    return await automation.seen(reply["run_id"])


async def refused(engine_fixture: EngineFixture, code: str, **request: object) -> str:
    """Ask for a retry that is refused; give the words."""
    reply = await engine_fixture.ask("runs.retry", **request)
    assert reply.error_code == code
    fault = msgspec.json.decode(reply.body)
    return str(fault["message"])


async def test_a_list_goes_on_at_the_step_that_failed(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a"), record("b"), record("c")])
    first = await failed_at(automation, faults, "actions[1]")
    again = await retried(automation, first)
    assert (again.status, again.error) == ("success", "")
    assert (first.recorded, again.recorded) == (["a"], ["b", "c"])
    assert again.steps == {f"actions[{i}]": "success" for i in range(3)}
    before, after = first.step("actions[0]"), again.step("actions[0]")
    assert after == before, "what was over is shown as it was"
    seqs = [step.seq for step in again.detail.steps]
    assert len(set(seqs)) == len(seqs)
    run, was = again.detail.run, first.detail.run
    assert run.id != was.id
    fields = ("automation_id", "version", "trigger_id", "trigger_event_id", "trigger_payload",
              "actor", "context_key")  # fmt: skip
    assert [getattr(run, name) for name in fields] == [getattr(was, name) for name in fields]


async def test_the_events_of_a_retry_are_those_of_a_run_of_its_own(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a"), record("b")])
    again = await retried(automation, await failed_at(automation, faults, "actions[1]"))
    assert [event.data.seq for event in again.events] == [1, 2, 3]
    kinds = [event.type.rpartition(".")[2] for event in again.events]
    assert kinds == ["started", "step_succeeded", "succeeded"]
    assert again.events[1].data.path == "actions[1]"


async def test_a_branch_that_was_taken_is_not_judged_again(
    shared: EngineFixture, faults: Faults
) -> None:
    taken = [{"variables": {"n": 1}}, {"sequence": [record("x"), record("y{{ variables.n }}")]}]
    automation = await shared.automation(
        [
            {"variables": {"n": 0}},
            {"choose": [{"when": "variables.n == 0", "sequence": taken}], "else": [record("no")]},
            record("z"),
        ]
    )
    path = "actions[1].choose[0].sequence[1].sequence[1]"
    again = await retried(automation, await failed_at(automation, faults, path))
    assert (again.status, again.recorded) == ("success", ["y1", "z"])


async def test_a_choose_that_could_not_be_judged_is_judged_anew(shared: EngineFixture) -> None:
    actions = [
        record("a"),
        {"choose": [{"when": "1 / trigger.payload.zero", "sequence": [record("b")]}]},
    ]
    automation = await shared.automation(actions)
    first = await automation.run({"zero": 0})
    again = await retried(automation, first)
    assert (first.status, again.status) == ("failed", "failed")
    assert again.error == first.error
    assert again.steps == first.steps
    assert again.recorded == []


async def test_a_loop_goes_on_in_the_iteration_that_failed(
    shared: EngineFixture, faults: Faults
) -> None:
    body = [
        {"variables": {"own": "{{ repeat.index }}!"}},
        record("a{{ repeat.index }}"),
        record("b{{ variables.own }}{{ repeat.last }}"),
    ]
    automation = await shared.automation([{"repeat": {"count": 3, "sequence": body}}])
    again = await retried(
        automation, await failed_at(automation, faults, "actions[0].repeat[1].sequence[2]")
    )
    assert again.status == "success"
    assert again.recorded == ["b1!false", "a2", "b2!true"]
    assert len(again.steps) == 10


async def test_a_for_each_keeps_the_list_that_it_began_with(
    shared: EngineFixture, faults: Faults
) -> None:
    body = [{"variables": {"list": []}}, record("{{ repeat.item }}")]
    automation = await shared.automation(
        [
            {"variables": {"list": "{{ trigger.payload.list }}"}},
            {"repeat": {"for_each": "variables.list", "sequence": body}},
            record("{{ variables.list | length }}"),
        ]
    )
    path = "actions[1].repeat[1].sequence[1]"
    first = await failed_at(automation, faults, path, list=["x", "y", "z"])
    again = await retried(automation, first)
    assert (first.recorded, again.recorded) == (["x"], ["y", "z", "0"])


async def test_a_while_counts_on(shared: EngineFixture, faults: Faults) -> None:
    body = [{"variables": {"n": "{{ variables.n + 1 }}"}}, record("{{ variables.n }}")]
    automation = await shared.automation(
        [
            {"variables": {"n": 0}},
            {"repeat": {"while": "variables.n < 4", "sequence": body}},
        ]
    )
    path = "actions[1].repeat[2].sequence[1]"
    first = await failed_at(automation, faults, path)
    again = await retried(automation, first)
    assert (first.recorded, again.recorded) == (["1", "2"], ["3", "4"])


async def test_of_a_parallel_only_the_failed_branches_go_on(
    shared: EngineFixture, faults: Faults
) -> None:
    seen = "{{ variables.a }}{{ variables.b }}"
    automation = await shared.automation(
        [
            {"variables": {"a": 0, "b": 0}},
            {
                "parallel": [
                    {"sequence": [{"variables": {"a": 1}}, record("good")]},
                    {"sequence": [record("first"), {"variables": {"b": 2}}, record(seen)]},
                ]
            },
            record(f"joined {seen}"),
        ]
    )
    first = await failed_at(automation, faults, "actions[1].parallel[1][0].sequence[2]")
    again = await retried(automation, first)
    assert sorted(first.recorded) == ["first", "good"]
    assert again.recorded == ["02", "joined 12"], "a branch sees the scope as it was at the fork"
    assert set(again.steps.values()) == {"success"}


async def test_all_branches_that_failed_go_on(shared: EngineFixture, faults: Faults) -> None:
    branches = [{"sequence": [record(f"x{i}"), record(f"y{i}")]} for i in range(3)]
    automation = await shared.automation([{"parallel": branches}])
    faults.put(automation.id, "actions[0].parallel[0][0].sequence[1]")
    first = await failed_at(automation, faults, "actions[0].parallel[2][0].sequence[0]")
    again = await retried(automation, first)
    assert sorted(first.recorded) == ["x0", "x1", "y1"]
    assert sorted(again.recorded) == ["x2", "y0", "y2"]
    assert again.status == "success"


async def test_a_failure_that_was_tolerated_stays_one(
    shared: EngineFixture, faults: Faults
) -> None:
    tolerant = {"sequence": [record("a"), fail("x"), record("no")], "continue_on_error": True}
    automation = await shared.automation([tolerant, record("b"), record("c")])
    first = await failed_at(automation, faults, "actions[2]")
    calls = len(shared.recorder.calls)
    again = await retried(automation, first)
    assert (first.recorded, again.recorded) == (["a", "b"], ["c"])
    assert [call.action for call in shared.recorder.calls[calls:]] == ["test.record"]
    assert again.steps["actions[0]"] == again.steps["actions[0].sequence[1]"] == "failed"
    assert again.status == "success"


async def test_a_retry_goes_on_behind_waits_and_delays(
    shared: EngineFixture, faults: Faults
) -> None:
    event = f"w.{uuid4().hex}"
    automation = await shared.automation(
        [
            {"delay": {"seconds": 1}},
            {"wait_for_trigger": {"event": event}},
            record("{{ wait.payload.n }}"),
        ]
    )
    faults.put(automation.id, "actions[2]")
    await automation.engine_fixture.publish(automation.event, {})
    await heard(shared, automation.id, "resumed")
    before = len(shared.events[automation.id])
    await heard(shared, automation.id, "waiting", before - 1)
    await shared.publish(event, {"n": 5})
    automation.ended += 1
    (run_id,) = await shared.ended(automation.id, 1)
    again = await retried(automation, await automation.seen(run_id))
    assert (again.status, again.recorded) == ("success", ["5"])
    assert whats(again) == ["started", "succeeded"]


async def overdue(automation: Stored) -> Seen:
    """Run until it sleeps, and let the time be over that it has."""
    run_id = (await asleep(automation)).run.id
    await automation.engine_fixture.make_due(run_id)
    automation.ended += 1
    await automation.engine_fixture.ended(automation.id, automation.ended)
    return await automation.seen(run_id)


async def test_a_wait_whose_time_was_over_waits_anew(shared: EngineFixture) -> None:
    event = f"w.{uuid4().hex}"
    wait = {"wait_for_trigger": {"event": event, "timeout_seconds": 3600}}
    automation = await shared.automation([record("a"), wait, record("{{ wait.payload.n }}")])
    first = await overdue(automation)
    assert first.error == f"timed out waiting for {event}"
    before = len(shared.events[automation.id])
    reply = await shared.call("runs.retry", id=first.detail.run.id)
    await heard(shared, automation.id, "waiting", before)
    await shared.publish(event, {"n": 6})
    automation.ended += 1
    await shared.ended(automation.id, 2)
    again = await automation.seen(reply["run_id"])
    assert (again.status, again.recorded) == ("success", ["6"])
    assert whats(again) == ["started", "waiting", "resumed", "succeeded"]


async def test_variables_and_artifacts_are_kept(shared: EngineFixture, faults: Faults) -> None:
    text = "{{ variables.v.x }} {{ artifacts.made.recorded.recorded }}"
    automation = await shared.automation(
        [{"variables": {"v": {"x": 7}}}, record("thing", id="made"), record(text)]
    )
    again = await retried(automation, await failed_at(automation, faults, "actions[2]"))
    assert again.recorded == ["7 thing"]


async def test_the_retries_of_a_step_begin_anew(shared: EngineFixture, faults: Faults) -> None:
    policy = {"attempts": 2, "delay_seconds": 0.01}
    automation = await shared.automation([record("a", retry=policy)])
    faults.put(automation.id, "actions[0]", 3)
    first = await automation.run()
    assert (first.status, first.step("actions[0]").attempts) == ("failed", 2)
    again = await retried(automation, first)
    assert (again.status, again.step("actions[0]").attempts) == ("success", 2)


async def test_a_retry_that_fails_can_be_retried(shared: EngineFixture, faults: Faults) -> None:
    automation = await shared.automation([record("a"), record("b"), record("c")])
    faults.put(automation.id, "actions[1]", 2)
    first = await automation.run()
    second = await retried(automation, first)
    faults.put(automation.id, "actions[2]")
    third = await retried(automation, second)
    fourth = await retried(automation, third)
    assert [s.status for s in (first, second, third, fourth)] == [*["failed"] * 3, "success"]
    assert [s.recorded for s in (first, second, third, fourth)] == [["a"], [], ["b"], ["c"]]
    other = await retried(automation, first)
    assert other.recorded == ["b", "c"], "each failed run keeps what it stood at"


async def test_a_run_that_took_too_long_goes_on_where_it_was(shared: EngineFixture) -> None:
    tolerant = {"sequence": [fail("tolerated")], "continue_on_error": True}
    event = f"w.{uuid4().hex}"
    branches = [
        {"sequence": [record("a"), {"wait_for_trigger": {"event": event}}, record("b")]},
        {"sequence": [record("c"), fail("x")]},
        {"sequence": [tolerant, record("d")]},
        {
            "parallel": [fail("tolerated too"), {"wait_for_trigger": {"event": event}}],
            "continue_on_error": True,
        },
    ]
    automation = await shared.automation([{"parallel": branches}], max_duration_seconds=3600)
    first = await overdue(automation)
    assert first.error == "run exceeded 3600 s"
    calls = len(shared.recorder.calls)
    before = len(shared.events[automation.id])
    reply = await shared.call("runs.retry", id=first.detail.run.id)
    await heard(shared, automation.id, "waiting", before)
    await shared.publish(event, {})
    automation.ended += 1
    await shared.ended(automation.id, 2)
    again = await automation.seen(reply["run_id"])
    assert sorted(first.recorded) == ["a", "c", "d"]
    assert (again.recorded, again.error) == (["b"], "x"), "it has its whole time again"
    assert again.steps["actions[0].parallel[2][0].sequence[0]"] == "failed"
    called = [call for call in shared.recorder.calls[calls:] if call.action == "test.fail"]
    assert [call.value for call in called] == [{"reason": "x"}], "what is tolerated stays as it is"


async def test_a_retry_is_pinned_to_the_version_of_the_run(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a"), record("old")])
    first = await failed_at(automation, faults, "actions[1]")
    stored = await shared.call("automations.get", id=automation.id)
    definition = {**stored["definition"], "actions": [record("new")]}
    await shared.call("automations.update", id=automation.id, definition=definition)
    for begins in ("failed", "start"):
        again = await retried(automation, first, **{"from": begins})
        assert again.detail.run.version == 1
        assert again.recorded[-1] == "old"


@pytest.mark.parametrize("ended", ["success", "failed", "skipped"])
async def test_any_run_that_has_ended_can_be_started_again(
    shared: EngineFixture, faults: Faults, ended: str
) -> None:
    wait = {"wait_for_trigger": {"event": f"w.{uuid4().hex}"}}
    guarded = {"choose": [{"when": "trigger.payload.sleeps", "sequence": [wait]}]}
    automation = await shared.automation([record("a"), guarded, record("b")], mode="single")
    if ended == "failed":
        faults.put(automation.id, "actions[2]")
    other = (await asleep(automation, {"sleeps": True})).run.id if ended == "skipped" else None
    first = await automation.run({"n": 1})
    assert first.status == ended
    if other is not None:
        await shared.call("runs.cancel", id=other)
        automation.ended += 1
        await shared.ended(automation.id, automation.ended)
    again = await retried(automation, first, **{"from": "start"})
    assert (again.status, again.recorded) == ("success", ["a", "b"])
    assert again.detail.run.trigger_payload == {"n": 1}


async def test_a_run_that_was_cancelled_can_be_started_again(shared: EngineFixture) -> None:
    wait = {"wait_for_trigger": {"event": f"w.{uuid4().hex}"}}
    automation = await shared.automation([record("a"), wait])
    run_id = (await asleep(automation)).run.id
    await shared.call("runs.cancel", id=run_id)
    before = len(shared.events[automation.id])
    reply = await shared.call("runs.retry", id=run_id, **{"from": "start"})
    await heard(shared, automation.id, "waiting", before)
    again = await automation.seen(reply["run_id"])
    assert (again.status, again.recorded) == ("waiting", ["a"])


async def test_a_retry_honours_the_mode(shared: EngineFixture, faults: Faults) -> None:
    wait = {"wait_for_trigger": {"event": f"w.{uuid4().hex}"}}
    guarded = {"choose": [{"when": "trigger.payload.sleeps", "sequence": [wait]}]}
    automation = await shared.automation([guarded, record("a")], mode="single")
    first = await failed_at(automation, faults, "actions[1]")
    sleeping = await asleep(automation, {"sleeps": True})
    again = await retried(automation, first)
    assert (again.status, again.recorded, again.detail.steps) == ("skipped", [], [])
    assert again.detail.run.reason == "mode single: a run is active"
    assert [event.data.seq for event in again.events] == [1]
    await shared.call("runs.cancel", id=sleeping.run.id)


async def test_a_retry_takes_its_place_in_the_queue(shared: EngineFixture, faults: Faults) -> None:
    event = f"w.{uuid4().hex}"
    guarded = {
        "choose": [
            {"when": "trigger.payload.sleeps", "sequence": [{"wait_for_trigger": {"event": event}}]}
        ]
    }
    automation = await shared.automation([guarded, record("a"), record("b")], mode="queued")
    first = await failed_at(automation, faults, "actions[2]")
    sleeping = await asleep(automation, {"sleeps": True})
    reply = await shared.call("runs.retry", id=first.detail.run.id)
    queued = await shared.call("runs.get", id=reply["run_id"])
    assert queued["run"]["status"] == "pending"
    await shared.publish(event, {})
    await shared.ended(automation.id, 3)
    again = await automation.seen(reply["run_id"])
    assert (again.status, again.recorded) == ("success", ["b"])
    assert (await automation.seen(sleeping.run.id)).status == "success"


async def test_what_cannot_be_retried_says_what_to_do(
    shared: EngineFixture, faults: Faults
) -> None:
    wait = {"wait_for_trigger": {"event": f"w.{uuid4().hex}"}}
    automation = await shared.automation([wait])
    run_id = (await asleep(automation)).run.id
    for begins in ("start", "failed"):
        text = await refused(shared, "409", id=run_id, **{"from": begins})
        assert text == f"run {run_id} is waiting; wait for its end or cancel it, then retry"
    await shared.call("runs.cancel", id=run_id)
    text = await refused(shared, "409", id=run_id)
    told = "has ended as cancelled, not failed; retry it with `from: start`"
    assert text == f"run {run_id} {told}"
    assert "not found" in await refused(shared, "404", id="nonsense")
    assert "not found" in await refused(shared, "404", id=str(uuid4()))
    assert "from" in await refused(shared, "400", id=run_id, **{"from": "middle"})


async def test_an_automation_that_is_disabled_or_gone_is_not_retried(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a")])
    first = await failed_at(automation, faults, "actions[0]")
    run_id = first.detail.run.id
    await shared.call("automations.toggle", id=automation.id, enabled=False)
    for begins in ("start", "failed"):
        text = await refused(shared, "409", id=run_id, **{"from": begins})
        assert text == f"automation '{automation.id}' is disabled; enable it, then retry"
    await shared.call("automations.toggle", id=automation.id, enabled=True)
    dsn = shared.settings.postgres.dsn
    kept = "select from failed_frames where run_id = $1"
    assert len(await rows(dsn, kept, UUID(run_id))) == 1
    await shared.call("automations.delete", id=automation.id)
    assert "not found" in await refused(shared, "404", id=run_id)
    assert await rows(dsn, kept, UUID(run_id)) == []


async def test_a_run_whose_state_was_not_kept_can_be_started_again(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a"), record("b")])
    first = await failed_at(automation, faults, "actions[1]")
    run_id = first.detail.run.id
    await rows(
        shared.settings.postgres.dsn, "delete from failed_frames where run_id = $1", UUID(run_id)
    )
    text = await refused(shared, "409", id=run_id)
    assert text == f"what run {run_id} stood at was not kept; retry it with `from: start`"
    assert (await retried(automation, first, **{"from": "start"})).recorded == ["a", "b"]


async def test_two_retries_at_the_same_time_are_two_runs(
    shared: EngineFixture, faults: Faults
) -> None:
    automation = await shared.automation([record("a"), record("b")])
    first = await failed_at(automation, faults, "actions[1]")
    one, other = await asyncio.gather(retried(automation, first), retried(automation, first))
    await shared.ended(automation.id, 3)
    assert one.detail.run.id != other.detail.run.id
    assert (one.recorded, other.recorded) == (["b"], ["b"])
