"""`automation.start`: a run for each step that asks; waited for, and ended with its parent."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, Stored, rows
from engine.test_language import record
from lockstep import bus
from lockstep.embedded import Servers
from patience import patience
from processes import call, environment, lockstep, talking

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
SLEEP: Json = {"delay": {"seconds": 3600}}
SAY: Json = record("{{ artifacts.kid.child.status }}")


def starting(automation: str, **config: object) -> Json:
    """The step that starts a run."""
    return {
        "id": "kid",
        "action": "automation.start",
        "config": {"automation": automation, **config},
    }


async def runs_of(engine_fixture: EngineFixture, automation_id: str) -> list[Json]:
    """All runs of an automation, newest first."""
    items: list[Json] = (await engine_fixture.call("runs.list", automation_id=automation_id))[
        "items"
    ]
    return items


async def test_a_step_starts_a_run_and_goes_on(shared: EngineFixture) -> None:
    child = await shared.automation([record("{{ trigger.payload.x }}"), SLEEP])
    parent = await shared.automation([starting(child.id, payload={"x": "{{ trigger.payload.y }}"})])
    seen = await parent.run({"y": "7"}, key="k1")
    (run,) = await runs_of(shared, child.id)
    assert seen.status == "success"
    artifact = seen.detail.artifacts[0].data
    assert (artifact["run_id"], artifact["status"] in {"running", "pending"}) == (run["id"], True)
    assert run["parent_run_id"] == seen.detail.run.id
    assert (run["trigger_payload"], run["context_key"]) == ({"x": "7"}, "k1")


async def test_a_step_that_starts_a_schedule_gives_it_the_payload_of_a_tick(
    shared: EngineFixture,
) -> None:
    cron = {"event": "automation.cron", "config": {"cronPattern": "0 4 1 1 *"}}
    child = await shared.automation([], triggers=[cron])
    parent = await shared.automation(
        [
            starting(child.id, wait=True),
            {
                **starting(child.id, wait=True, payload={"firedAt": "1999-12-31T23:00:00Z"}),
                "id": "b",
            },
            SAY,
        ]
    )
    seen = await parent.run()
    assert (seen.status, seen.recorded) == ("success", ["success"])
    given, ticked = await runs_of(shared, child.id)
    assert list(ticked["trigger_payload"]) == ["firedAt"]
    assert given["trigger_payload"] == {"firedAt": "1999-12-31T23:00:00Z"}


async def test_a_step_that_waits_sleeps_until_the_run_has_ended(shared: EngineFixture) -> None:
    child = await shared.automation([{"delay": {"seconds": 1}}, record("child")])
    parent = await shared.automation([starting(child.id, wait=True), SAY])
    await shared.publish(parent.event, {})
    waiting = await shared.heard(parent.id, "waiting")
    detail = await shared.call("runs.get", id=waiting.data.run_id)
    assert [wait["kind"] for wait in detail["waits"]] == ["child"]
    await shared.ended(parent.id, 1)
    seen = await parent.seen(waiting.data.run_id)
    assert (seen.status, seen.recorded) == ("success", ["success"])


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        ([], "success"),
        ([{"action": "test.fail", "config": {"reason": "no"}}], "failed"),
        ([{"stop": {"error": True}}], "failed"),
    ],
)
async def test_a_step_that_waits_is_told_how_the_run_has_ended(
    shared: EngineFixture, actions: list[Json], status: str
) -> None:
    child = await shared.automation(actions)
    parent = await shared.automation([starting(child.id, wait=True), SAY])
    seen = await parent.run()
    assert (seen.status, seen.recorded) == ("success", [status])


async def test_a_run_that_the_mode_refuses_is_told_as_skipped(shared: EngineFixture) -> None:
    child = await shared.automation([SLEEP], mode="single", max_runs=1)
    await shared.call("runs.start", automation_id=child.id)
    parent = await shared.automation([starting(child.id, wait=True), SAY])
    seen = await parent.run()
    assert (seen.status, seen.recorded) == ("success", ["skipped"])


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
async def test_a_step_that_waits_wakes_when_its_run_is_ended_from_outside(
    shared: EngineFixture, how: str
) -> None:
    child = await shared.automation([SLEEP])
    parent = await shared.automation([starting(child.id, wait=True), SAY])
    await shared.publish(parent.event, {})
    await shared.heard(parent.id, "waiting")
    (run,) = await runs_of(shared, child.id)
    if how == "cancelled":
        await shared.call("runs.cancel", id=run["id"])
    else:
        await shared.call("automations.delete", id=child.id)
    (run_id,) = await shared.ended(parent.id, 1)
    seen = await parent.seen(run_id)
    assert seen.recorded == ["cancelled"] or "is gone" in seen.error


async def test_a_run_is_found_by_the_name_of_its_automation(shared: EngineFixture) -> None:
    child = await shared.automation([record("by name")])
    name = (await shared.call("automations.get", id=child.id))["name"]
    parent = await shared.automation([starting(name, wait=True), SAY])
    assert (await parent.run()).recorded == ["success"]
    twin = {"name": name, "triggers": [{"event": "e.twin"}]}
    await shared.call("automations.create", name=name, definition=twin)
    seen = await parent.run()
    assert seen.status == "failed"
    assert "2 automations are named" in seen.error


async def test_an_automation_that_is_not_there_or_disabled_fails_the_step(
    shared: EngineFixture,
) -> None:
    parent = await shared.automation([starting("nowhere")])
    seen = await parent.run()
    assert (seen.status, "'nowhere' is not known, or is disabled" in seen.error) == ("failed", True)
    child = await shared.automation([])
    await shared.call("automations.toggle", id=child.id, enabled=False)
    other = await shared.automation([starting(child.id)])
    assert "or is disabled" in (await other.run()).error


async def test_automations_that_start_each_other_end_at_the_hop_limit(
    shared: EngineFixture,
) -> None:
    first = await shared.automation([])
    actions = [starting(first.id, wait=True), SAY]
    definition = {
        "name": "loop", "triggers": [{"event": first.event}], "actions": actions,
        "mode": "parallel", "max_runs": 1000,
    }  # fmt: skip
    await shared.call("automations.update", id=first.id, definition=definition)
    await shared.publish(first.event, {})
    ids = await shared.ended(first.id, 17)
    errors = [seen.error for seen in [await first.seen(one) for one in ids] if seen.error]
    assert len(ids) == 17
    assert [error for error in errors if "past the limit of 16" in error]


async def cancelled_with_parent(engine_fixture: EngineFixture, *, wanted: bool) -> tuple[str, str]:
    """Start a run that sleeps, cancel its parent, and give the status of both."""
    grandchild = await engine_fixture.automation([SLEEP])
    child = await engine_fixture.automation([starting(grandchild.id), SLEEP])
    step = starting(child.id, wait=True, cancel_with_parent=wanted)
    parent = await engine_fixture.automation([step])
    await engine_fixture.publish(parent.event, {})
    await engine_fixture.heard(child.id, "waiting")
    waiting = await engine_fixture.heard(parent.id, "waiting")
    await engine_fixture.call("runs.cancel", id=waiting.data.run_id)
    if wanted:
        await engine_fixture.ended(child.id, 1)
        await engine_fixture.ended(grandchild.id, 1)
    (run,), (last,) = (
        await runs_of(engine_fixture, child.id),
        await runs_of(engine_fixture, grandchild.id),
    )
    return run["status"], last["status"]


async def test_runs_are_cancelled_with_their_parent_down_to_the_last(shared: EngineFixture) -> None:
    assert await cancelled_with_parent(shared, wanted=True) == ("cancelled", "cancelled")


async def test_a_run_outlives_its_parent_where_that_is_asked(shared: EngineFixture) -> None:
    assert await cancelled_with_parent(shared, wanted=False) == ("waiting", "waiting")


async def test_a_payload_that_breaks_the_schema_of_the_trigger_fails_the_step(
    shared: EngineFixture,
) -> None:
    schema = {"type": "object", "required": ["id"]}
    await shared.call(
        "catalog.triggers.register", id="kids.born", owner="kids", payload_schema=schema
    )
    child = await shared.automation([], event="kids.born")
    parent: Stored = await shared.automation([starting(child.id)])
    seen = await parent.run()
    assert seen.status == "failed"
    assert "payload" in seen.error


async def test_a_run_is_started_once_however_often_workers_die(
    servers: Servers, dsn: str, tmp_path: Path
) -> None:
    prefix = f"k{uuid4().hex[:10]}"
    env = environment(
        NATS__SERVERS=servers.nats_url, NATS__PREFIX=prefix, NATS__STORAGE="memory",
        POSTGRES__DSN=dsn, ENGINE__CATALOG="open", ENGINE__HEARTBEAT_SECONDS="0.3",
        ENGINE__STALE_SECONDS="5", NATS__ACK_WAIT_SECONDS="3",
    )  # fmt: skip
    child = {
        "name": "child", "triggers": [{"event": "c"}], "mode": "parallel", "max_runs": 1000,
        "actions": [{"delay": {"seconds": 1}}],
    }  # fmt: skip
    parent = {
        "name": "parent", "triggers": [{"event": "p"}], "mode": "parallel", "max_runs": 1000,
        "actions": [starting("child", wait=True), starting("child", wait=True) | {"id": "two"}],
    }  # fmt: skip
    events, kills = 100, 4
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(lockstep("serve", env=env, cwd=tmp_path))
        connection = await stack.enter_async_context(talking(servers.nats_url, prefix))
        for definition in (child, parent):
            await call(
                connection, "automations.create", name=definition["name"], definition=definition
            )
        publisher = bus.Publisher(connection)
        subject = connection.names.trigger("p")
        for number in range(events):
            await publisher.publish(subject, b"{}", {"Nats-Msg-Id": f"p{number}"})
            if number % (events // kills) == events // kills - 1:
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
                process = await stack.enter_async_context(lockstep("serve", env=env, cwd=tmp_path))
        ended = "select count(*) from runs where finished_at is not null"
        async with patience():
            while (await rows(dsn, ended))[0][0] < events * 3:
                await asyncio.sleep(0.1)
    counts = await rows(
        dsn, "select automation_name, status, count(*) from runs group by 1, 2 order by 1, 2"
    )
    assert [tuple(row) for row in counts] == [
        ("child", "success", 2 * events), ("parent", "success", events),
    ]  # fmt: skip
