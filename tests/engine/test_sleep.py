"""Runs sleep as data, wake once, and can be ended by others: through a whole engine."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from engine.engine_fixture import EngineFixture, Seen, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from lockstep import bus
from lockstep.catalog import compile_schema
from lockstep.embedded import Servers
from lockstep.model.types import ActionContext, ActionResult, ActionType
from lockstep_schemas import api
from lockstep_schemas.run_events import RunEvent
from patience import patience

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
Execute = Callable[[ActionContext], Awaitable[ActionResult]]


def lend(engine_fixture: EngineFixture, execute: Execute, *, retry_safe: bool = True) -> str:
    """Give the engine an action of this test; give its name."""
    name = f"own.a{uuid4().hex[:12]}"
    kind = ActionType(
        qualified_id=name, plugin="own", display_name=name, execute=execute,
        config_schema=compile_schema({"type": "object"}), source="test", retry_safe=retry_safe,
    )  # fmt: skip
    engine_fixture.assembly.knowledge.catalog.override_action(kind)
    return name


def holding(engine_fixture: EngineFixture) -> tuple[Json, asyncio.Event]:
    """An action that lasts until it is released."""
    release = asyncio.Event()

    async def hold(_: ActionContext) -> ActionResult:
        await release.wait()
        return ActionResult()

    return {"action": lend(engine_fixture, hold)}, release


async def asleep(automation: Stored, payload: Json | None = None, **how: Any) -> api.RunDetail:
    """Start a run and wait until it sleeps; give it as the API shows it."""
    before = len(automation.engine_fixture.events.get(automation.id, []))
    await automation.engine_fixture.publish(automation.event, payload or {}, **how)
    event = await heard(automation.engine_fixture, automation.id, "waiting", before)
    return await detail(automation.engine_fixture, event.data.run_id)


async def heard(
    engine_fixture: EngineFixture, automation_id: str, what: str, after: int = 0
) -> RunEvent:
    """Wait for an event of a kind, behind so many others."""

    def found() -> list[RunEvent]:
        events = engine_fixture.events.get(automation_id, [])[after:]
        return [event for event in events if event.type == f"lockstep.run.{what}"]

    async with patience(), engine_fixture._changed:
        await engine_fixture._changed.wait_for(found)
    return found()[0]


async def detail(engine_fixture: EngineFixture, run_id: str) -> api.RunDetail:
    """Look at a run."""
    return msgspec.convert(await engine_fixture.call("runs.get", id=run_id), api.RunDetail)


async def finished(automation: Stored) -> Seen:
    """Wait for the end of the next run."""
    automation.ended += 1
    ids = await automation.engine_fixture.ended(automation.id, automation.ended)
    return await automation.seen(ids[-1])


def whats(seen: Seen) -> list[str]:
    """The kinds of the events of a run, those of its steps left out."""
    names = [event.type.rpartition(".")[2] for event in seen.events]
    return [name for name in names if not name.startswith("step_")]


async def entries(engine_fixture: EngineFixture, bucket: str) -> dict[str, Json]:
    """Read a bucket as its operators do: key to value."""
    kind = bus.Bucket(engine_fixture.connection, bucket)  # type: ignore[arg-type] # one of the two
    await engine_fixture.assembly.hearing.mirror.settled()
    found = {}
    for key in await kind.keys():
        answer = await bus.api.call(
            engine_fixture.connection,
            f"STREAM.MSG.GET.{kind.stream}",
            {"last_by_subj": engine_fixture.connection.names.key(kind.name, str(key))},
        )
        if answer["message"].get("data"):  # else it stands for one that was removed
            found[str(key)] = answer
    return found


async def test_a_sleeping_run_says_what_it_waits_for_since_when_and_until_when(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([{"delay": {"seconds": 3600}}])
    seen = await asleep(automation, key="k1")
    (wait,) = seen.waits
    assert (seen.run.status, wait.kind, wait.action_path) == ("waiting", "delay", "actions[0]")
    assert wait.due_at is not None
    assert round((wait.due_at - seen.steps[0].started_at).total_seconds()) == 3600
    assert seen.run.waiting_for == wait.waiting_for
    assert wait.waiting_for.startswith("delay until 20")
    assert seen.steps[0].status == "waiting"
    event = await heard(shared, automation.id, "waiting")
    assert event.data.waiting_for == wait.waiting_for
    step = await heard(shared, automation.id, "step_waiting")
    assert (step.data.path, step.data.waiting_for) == ("actions[0]", wait.waiting_for)
    assert wait.id in await entries(shared, "delay")


async def test_ops_hear_of_the_end_of_a_run_that_had_slept_and_whose_state_is_gone(
    shared: EngineFixture,
) -> None:
    awaited = f"go.{uuid4().hex[:12]}"
    waiting = {"wait_for_trigger": {"event": awaited}}
    automation = await shared.automation([{"repeat": {"count": 5, "sequence": [waiting]}}])
    run = await asleep(automation)
    for resumed in range(1, 4):
        before = len(shared.events[automation.id])
        await shared.publish(awaited, {}, key=None)
        await heard(shared, automation.id, "waiting", before)
        assert len(shared.events[automation.id]) > 2 * resumed
    dsn = shared.settings.postgres.dsn
    await rows(dsn, "delete from run_frames where run_id = $1", UUID(run.run.id))
    told = [event.data.seq for event in shared.events[automation.id]]
    await shared.publish(awaited, {}, key=None)
    failed = await heard(shared, automation.id, "failed")
    assert failed.data.run_id == run.run.id
    assert failed.data.seq > max(told)


@pytest.mark.parametrize("end", ["runs.cancel", "automations.delete", "restart"])
async def test_ops_hear_that_a_run_was_cancelled_whose_state_is_gone(
    shared: EngineFixture, end: str
) -> None:
    mode = {"mode": "restart", "max_runs": 1} if end == "restart" else {}
    automation = await shared.automation([{"delay": {"seconds": 3600}}], **mode)
    run = await asleep(automation)
    await heard(shared, automation.id, "waiting")
    told = [event.data.seq for event in shared.events[automation.id]]
    dsn = shared.settings.postgres.dsn
    await rows(dsn, "delete from run_frames where run_id = $1", UUID(run.run.id))
    if end == "restart":
        await shared.publish(automation.event, {})
    else:
        ended = run.run.id if end == "runs.cancel" else automation.id
        await shared.call(end, id=ended)
    cancelled = await heard(shared, automation.id, "cancelled")
    assert cancelled.data.run_id == run.run.id
    assert cancelled.data.seq > max(told)


async def test_an_awaited_event_resumes_the_run_and_its_key_is_gone(shared: EngineFixture) -> None:
    awaited = f"e.go{uuid4().hex[:8]}"
    waiting = {"wait_for_trigger": {"event": awaited, "filter": "trigger.payload.n > 1"}}
    texts = "{{ wait.completed }} {{ resume.payload.n }} {{ wait.payload.n }}"
    automation = await shared.automation([waiting, record(texts)])
    seen = await asleep(automation, key="k")
    (wait,) = seen.waits
    assert (wait.event, wait.context_key, wait.due_at) == (awaited, "k", None)
    assert wait.id in await entries(shared, "wait")
    await shared.publish(awaited, {"n": 5}, key="other")
    await shared.publish(awaited, {"n": 1}, key="k")
    await shared.publish(awaited, {"n": 2}, key="k")
    done = await finished(automation)
    assert (done.status, done.recorded) == ("success", ["true 2 2"])
    assert whats(done) == ["started", "waiting", "resumed", "succeeded"]
    assert [event.data.seq for event in done.events] == list(range(1, len(done.events) + 1))
    assert wait.id not in await entries(shared, "wait")
    assert done.detail.waits == []


async def test_a_filter_sees_the_scope_of_the_run_and_no_change_of_it(
    shared: EngineFixture,
) -> None:
    awaited = f"e.go{uuid4().hex[:8]}"
    wanted = "trigger.payload.n == run_scope.variables.n and run_scope.repeat.index == 1"
    body = [{"choose": [{"when": "repeat.index == 1", "sequence": [
        {"wait_for_trigger": {"event": awaited, "filter": wanted}}]}]}]  # fmt: skip
    loop = {"repeat": {"count": 2, "sequence": body}}
    automation = await shared.automation([{"variables": {"n": 7}}, loop, record("x")])
    await asleep(automation)
    await shared.publish(awaited, {"n": 6})
    await shared.publish(awaited, {"n": 7})
    done = await finished(automation)
    assert done.recorded == ["x"]


async def test_a_filter_that_cannot_be_judged_keeps_waiting_and_warns(
    shared: EngineFixture,
) -> None:
    awaited = f"e.go{uuid4().hex[:8]}"
    waiting = {"wait_for_trigger": {"event": awaited, "filter": "1 / trigger.payload.n > 0"}}
    automation = await shared.automation([waiting])
    seen = await asleep(automation)
    await shared.publish(awaited, {"n": 0})
    await shared.publish(awaited, {"n": 1})
    done = await finished(automation)
    assert done.status == "success"
    warning = await heard(shared, automation.id, "warning")
    assert "division by zero" in (warning.data.reason or "")
    assert warning.data.run_id == seen.run.id
    assert "division by zero" in str(done.step("actions[0]").result)


async def test_a_branch_goes_on_when_it_is_woken_while_its_sibling_executes(
    shared: EngineFixture,
) -> None:
    awaited, release = f"e.go{uuid4().hex[:8]}", asyncio.Event()

    async def hold(_: ActionContext) -> ActionResult:
        await release.wait()
        return ActionResult()

    branches = [
        {"action": lend(shared, hold)},
        {"sequence": [{"wait_for_trigger": {"event": awaited}}, record("woken")]},
        {"sequence": [{"delay": {"seconds": 1}}, record("due")]},
    ]
    automation = await shared.automation([{"parallel": branches}, record("joined")])
    await shared.publish(automation.event, {})
    step = await heard(shared, automation.id, "step_waiting")
    await shared.publish(awaited, {})

    async def recorded(texts: set[str]) -> None:
        def found() -> set[str]:
            return {r.value for r in shared.recorder.records if r.run_id == step.data.run_id}

        async with patience(), shared._changed:
            await shared._changed.wait_for(lambda: found() == texts)

    await recorded({"woken", "due"})
    assert (await detail(shared, step.data.run_id)).run.status == "running"
    release.set()
    done = await finished(automation)
    assert done.recorded[-1] == "joined"
    assert whats(done) == ["started", "succeeded"], "it never slept as a whole"


async def test_a_run_that_is_cancelled_while_an_action_executes_stops_there(
    shared: EngineFixture,
) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def hold(_: ActionContext) -> ActionResult:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.set()

    automation = await shared.automation([{"action": lend(shared, hold)}, record("after")])
    await shared.publish(automation.event, {})
    async with patience():
        await begun.wait()
        run_id = (await heard(shared, automation.id, "started")).data.run_id
        await shared.call("runs.cancel", id=run_id, reason="enough")
        await stopped.wait()
    done = await finished(automation)
    assert (done.status, done.detail.run.reason, done.recorded) == ("cancelled", "enough", [])
    assert done.step("actions[0]").status == "failed"
    assert done.step("actions[0]").error_message == "cancelled"
    assert whats(done) == ["started", "cancelled"]
    await shared.call("runs.cancel", id=run_id)
    again = await automation.seen(run_id)
    assert (again.status, again.detail.run.reason, len(again.events)) == (
        "cancelled", "enough", len(done.events),
    )  # fmt: skip


async def test_a_cancelled_sleeper_is_woken_by_nothing(shared: EngineFixture) -> None:
    awaited = f"e.go{uuid4().hex[:8]}"
    waiting = {"wait_for_trigger": {"event": awaited, "timeout_seconds": 3600}}
    automation = await shared.automation([waiting, record("after")])
    seen = await asleep(automation)
    await shared.call("runs.cancel", id=seen.run.id)
    await shared.publish(awaited, {})
    done = await finished(automation)
    assert (done.status, done.recorded, done.detail.waits) == ("cancelled", [], [])
    assert seen.waits[0].id not in await entries(shared, "wait")


@pytest.mark.parametrize("where", ["asleep", "executing"])
async def test_a_run_past_its_time_fails_asleep_or_not(shared: EngineFixture, where: str) -> None:
    async def hold(_: ActionContext) -> ActionResult:
        await asyncio.get_running_loop().create_future()
        return ActionResult()

    sleeping = {"delay": {"seconds": 3600}}
    action = sleeping if where == "asleep" else {"action": lend(shared, hold)}
    automation = await shared.automation([action, record("x")], max_duration_seconds=1)
    done = await automation.run()
    assert (done.status, done.error, done.recorded) == ("failed", "run exceeded 1 s", [])
    assert whats(done)[-1] == "failed"
    assert done.detail.waits == []


async def test_a_run_that_ends_in_time_leaves_no_deadline(shared: EngineFixture) -> None:
    automation = await shared.automation([record("x")], max_duration_seconds=3600)
    done = await automation.run()
    assert (done.status, done.detail.waits) == ("success", [])
    keys = await entries(shared, "delay")
    found = await shared.call("runs.get", id=done.detail.run.id)
    assert not [key for key in keys if key in str(found)]


async def test_a_retry_calls_with_the_same_config_and_key_until_the_policy_ends(
    shared: EngineFixture,
) -> None:
    calls: list[tuple[int, str, Any]] = []

    async def failing_actions(context: ActionContext) -> ActionResult:
        calls.append((context.attempt, context.idempotency_key, context.config))
        if len(calls) < 3:
            return ActionResult(success=False, error=f"no {len(calls)}", retry_after_ms=20)
        return ActionResult()

    retry = {"attempts": 5, "delay_seconds": 3600, "max_delay_seconds": 3600}
    action = {
        "action": lend(shared, failing_actions),
        "config": {"at": "{{ now }}"},
        "retry": retry,
    }
    automation = await shared.automation([action])
    done = await automation.run()
    assert (done.status, done.step("actions[0]").attempts) == ("success", 3)
    assert [attempt for attempt, _, _ in calls] == [1, 2, 3]
    assert len({key for _, key, _ in calls}) == 1
    assert len({str(config) for _, _, config in calls}) == 1
    waiting = [e.data for e in done.events if e.type.endswith("step_waiting")]
    assert [event.error for event in waiting] == ["no 1", "no 2"]
    assert (waiting[0].waiting_for or "").startswith("retry 2 of 5 at ")


async def test_an_action_that_always_fails_fails_after_its_attempts(shared: EngineFixture) -> None:
    retry = {"attempts": 3, "delay_seconds": 0.01, "backoff": "constant"}
    action = {"action": "test.fail", "config": {"reason": "never"}, "retry": retry}
    automation = await shared.automation([action])
    done = await automation.run()
    assert (done.status, done.error) == ("failed", "never")
    assert done.step("actions[0]").attempts == 3


async def test_a_closed_artifact_is_not_consumed_and_an_unknown_one_is_not_found(
    shared: EngineFixture,
) -> None:
    automation = await shared.automation([{**record("a"), "id": "p"}, {"action": "test.consumer"}])
    done = await automation.run(key="one")
    (artifact,) = done.detail.artifacts
    await shared.call("artifacts.close", id=artifact.id)
    again = (await automation.seen(done.detail.run.id)).detail.artifacts[0]
    assert again.closed_at is not None
    reply = await shared.ask("artifacts.close", id=str(uuid4()))
    assert reply.error_code == "404"
    assert (await shared.ask("runs.cancel", id="nonsense")).error_code == "404"
    assert (await shared.ask("runs.cancel", id=str(uuid4()))).error_code == "404"


async def test_after_an_outage_the_overdue_are_let_through_at_the_rate_of_the_setting(
    servers: Servers, dsn: str
) -> None:
    prefix = f"o{uuid4().hex[:10]}"
    settings = settings_of(servers.nats_url, dsn, prefix, late_wakes_per_second=500.0)
    async with engine_fixture(settings) as first:
        automation = await first.automation([{"delay": {"seconds": 3600}}])
        for _ in range(600):
            await first.publish(automation.event, {})
        async with patience():
            while len(await rows(dsn, "select from runs where status = 'waiting'")) < 600:
                await asyncio.sleep(0.05)
    await rows(dsn, "update waits set due_at = now() - interval '1 hour'")
    async with engine_fixture(settings) as second:
        async with patience():
            while await rows(dsn, "select from runs where status <> 'success'"):
                await asyncio.sleep(0.05)
        assert second.assembly.hearing.places.active == 0
    times = await rows(dsn, "select finished_at from runs order by finished_at")
    occurrences = [row["finished_at"] for row in times]
    # Three batches of at most 250, with half a second at 500 a second after each full one.
    assert (occurrences[-1] - occurrences[0]).total_seconds() >= 0.9


async def test_the_buckets_are_put_right_from_the_rows(shared: EngineFixture) -> None:
    automation = await shared.automation([{"delay": {"seconds": 3600}}])
    wait = (await asleep(automation)).waits[0]
    mirror, bucket = shared.assembly.hearing.mirror, bus.Bucket(shared.connection, "delay")
    await mirror.settled()
    lost = {"filter": shared.connection.names.key(bucket.name, wait.id)}
    await bus.api.call(shared.connection, f"STREAM.PURGE.{bucket.stream}", lost)
    orphan = str(UUID("01000000-0000-7000-8000-000000000000"))
    await bucket.put(orphan, b"{}", datetime(2100, 1, 1, tzinfo=UTC))
    for _ in "ab":
        await mirror.reconcile(datetime(2100, 1, 1, tzinfo=UTC))
    keys = await entries(shared, "delay")
    assert wait.id in keys
    assert orphan not in keys


async def test_a_worker_shows_itself_on_the_bus_while_it_lives(servers: Servers, dsn: str) -> None:
    settings = settings_of(servers.nats_url, dsn, f"w{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        names = only.connection.names
        subject = names.key(names.workers_bucket, str(only.engine.id))
        stream = names.bucket_stream(names.workers_bucket)
        what = f"STREAM.MSG.GET.{stream}"

        async def shown() -> Json:
            async with patience():
                while True:
                    try:
                        return await bus.api.call(only.connection, what, {"last_by_subj": subject})
                    except bus.api.ApiError:
                        await asyncio.sleep(0.05)

        assert (await shown())["message"]["data"]
