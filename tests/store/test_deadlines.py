"""Deadlines: an event satisfies a wait up to it, and not after it, expired or not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from lockstep import store
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.parked import ParkedEvent
from lockstep.ports.unhandled import Question
from lockstep_schemas.events import ACTION_DONE
from store_fixture import Alone, StoreFixture, store_fixture

Json = dict[str, Any]
REMOTE = "update waits set kind = 'remote', event_id = null, topic = null"
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS = [(-7_000_000, True), (0, True), (1, False), (7_000_000, False)]
"""From the deadline on, and whether that is in time."""


async def asleep(fixture: StoreFixture, wait: Json) -> Any:
    """Have a run that waits; give its wait."""
    wait = {"event": "answer", **wait}
    program = fixture.program(
        {"name": "x", "triggers": [{"event": "e"}], "actions": [{"wait_for_trigger": wait}]}
    )
    run = await fixture.launch(program, {})
    worker = fixture.worker()
    await fixture.walk(await fixture.adopt(worker, run.id), program, Alone(worker))
    return await of_run(fixture, run.id)


async def of_run(fixture: StoreFixture, run_id: Any) -> Any:
    """Give the wait of a run."""
    (row,) = await fixture.rows(
        "select id, run_id, due_at, state, payload from waits where run_id = $1", run_id
    )
    return row


def at(event: Event, time: Any) -> Event:
    """That event, stored at another time."""
    return msgspec.structs.replace(event, time=time)


@pytest.mark.parametrize(("microseconds", "satisfies"), MICROSECONDS)
async def test_an_event_is_in_time_up_to_the_deadline_though_nobody_has_expired_the_wait(
    dsn: str, microseconds: int, satisfies: bool
) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        fixture.clock.skip(60)  # handled late, whenever it came
        answer = fixture.event("answer", {})
        await fixture.deliver(at(answer, wait["due_at"] + microseconds * MICROSECOND))
        found = await of_run(fixture, wait["run_id"])
        assert found["state"] == ("fired" if satisfies else "armed")


async def test_of_a_batch_the_first_event_that_is_in_time_satisfies(dsn: str) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        second = timedelta(seconds=1)
        times = [wait["due_at"] + second, wait["due_at"] - second, wait["due_at"]]
        events = [
            at(fixture.event("answer", {"n": number}), time) for number, time in enumerate(times)
        ]
        await fixture.deliver(*events)
        found = await of_run(fixture, wait["run_id"])
        assert (found["state"], found["payload"]) == ("fired", b'{"n": 1}')


async def test_a_wait_without_deadline_takes_any_event(dsn: str) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        await fixture.rows("update waits set due_at = null where id = $1", wait["id"])
        answer = fixture.event("answer", {})
        await fixture.deliver(at(answer, wait["due_at"] + timedelta(days=999)))
        assert (await of_run(fixture, wait["run_id"]))["state"] == "fired"


@pytest.mark.parametrize(("microseconds", "satisfies"), MICROSECONDS)
async def test_a_result_of_a_remote_action_is_in_time_up_to_its_deadline(
    dsn: str, microseconds: int, satisfies: bool
) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        await fixture.rows(
            "update waits set kind = 'remote', event_id = null, topic = null where id = $1",
            wait["id"],
        )
        time = wait["due_at"] + microseconds * MICROSECOND
        results = [(uuid4(), "actions[0]", time), (wait["run_id"], "actions[0]", time)]
        async with store.Batches(fixture.database, uuid7()).transaction() as tx:
            found = await tx.open_results(results)
        assert [(one.place, one.id) for one in found] == ([(1, wait["id"])] if satisfies else [])


async def expiring(fixture: StoreFixture, wait: Any, after: float) -> list[Question]:
    """Ask what may end a wait so many seconds after its deadline."""
    at = wait["due_at"] + timedelta(seconds=after)
    return await store.WaitStore(fixture.database, uuid7()).expiring([wait["id"], uuid4()], at)


async def test_what_may_still_end_a_wait_is_asked_from_its_deadline_on(dsn: str) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        assert await expiring(fixture, wait, -0.001) == []
        asked = Question(id=wait["id"], event_id="answer", until=wait["due_at"])
        assert await expiring(fixture, wait, 0) == [asked]
        await fixture.rows(REMOTE)
        step = f"{wait['run_id']}:actions[0]"
        result = Question(id=wait["id"], event_id=ACTION_DONE, until=wait["due_at"], step=step)
        assert await expiring(fixture, wait, 0) == [result]
        await fixture.rows("update waits set kind = 'delay'")
        assert await expiring(fixture, wait, 60) == []


@pytest.mark.parametrize("change", [REMOTE, "select"])
async def test_a_timer_of_what_waits_for_nothing_fires_no_wait_for_an_event(
    dsn: str, change: str
) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        await fixture.rows(change)
        waits, late = store.WaitStore(fixture.database, uuid7()), wait["due_at"]
        assert await waits.fire_due([wait["id"]], late, ("delay", "retry", "child")) == []
        assert (await of_run(fixture, wait["run_id"]))["state"] == "armed"
        (fired,) = await waits.fire_due([wait["id"]], late, ("event", "remote"))
        assert fired.id == wait["id"]


async def test_events_that_are_parked_for_a_wait_are_counted_with_the_oldest(dsn: str) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        (run,) = await fixture.rows("select automation_id from runs")
        name = run["automation_id"]
        await store.AutomationStore(fixture.database).insert_many([(name, name, {})])
        waits = store.WaitStore(fixture.database, uuid7())
        late = wait["due_at"]
        asked = [Question(id=one, event_id="answer", until=late) for one in (wait["id"], uuid4())]
        assert await waits.alive([one.id for one in asked]) == {wait["id"]}
        assert await waits.parked_for(asked) == {}
        events = [fixture.event("answer", {}) for _ in range(3)]
        whose = [wait["id"], wait["id"], None]  # the last one for a trigger of the automation
        async with store.Batches(fixture.database, uuid7()).transaction() as tx:
            await tx.park_events(
                [
                    ParkedEvent(one, name, "no such filter", who)
                    for one, who in zip(events, whose, strict=True)
                ]
            )
        (held,) = (await waits.parked_for(asked)).values()
        assert (held.events, held.sequence) == (2, events[0].sequence)
        assert held.reason == "2 events of `answer` are parked for it, see `lockstep parked list`"


async def test_a_warning_stays_with_the_wait(dsn: str) -> None:
    async with store_fixture(dsn) as fixture:
        wait = await asleep(fixture, {"timeout_seconds": 10})
        await store.WaitStore(fixture.database, uuid7()).warn([(wait["id"], "it is stuck")])
        (found,) = await fixture.rows("select warning from waits")
        assert found["warning"] == "it is stuck"
