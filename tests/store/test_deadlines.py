"""Deadlines: an event satisfies a wait up to it, and not after it, expired or not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from lockstep import store
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from store_fixture import Alone, StoreFixture, store_fixture

Json = dict[str, Any]
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
