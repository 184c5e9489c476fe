"""Commit: one transaction, its locks in one order; nobody hears of anything before it is done."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from lockstep.model.admissions import Active
from lockstep.model.decisions import Decision
from lockstep.model.errors import Unavailable
from lockstep.model.timers import Hold, Holder
from lockstep.model.waits import Awaited, Due, Satisfied
from lockstep.pipeline.commit import commit
from lockstep.pipeline.parts import Decided
from lockstep.ports.pipeline import Transaction
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import NOW, automation, event, later, match, uid

REPLACES = automation("a", mode="restart")
REFUSES = automation("b", mode="single")
EVENT = event(5)
WAIT = Awaited(0, uid(50), uid(60), None, None, "actions[0]", None, "c")
HOLD = Hold(
    id=uid(70), holder=Holder("a", "t", None), event_id="test.event", by=(NOW, 5), event=EVENT,
    armed_at=NOW, due_at=later(60),
)  # fmt: skip
TICK = Due(uid(71), "schedule", later(60))
DOING = [
    "begin", "lock_automations", "count_active", "active_runs", "reserve", "create_runs",
    "lock_runs", "replace", "end_runs", "fire", "add_events", "commit",
]  # fmt: skip

Decide = Callable[[Transaction], Awaitable[Decided]]


def deciding(decided: Decided) -> Decide:
    """Decide so, whatever there is."""

    async def decide(_: Transaction) -> Decided:
        return decided

    return decide


def busy(free: int = 9) -> tuple[Ways, Decide]:
    """Ways in which everything that can happen does, and what decides so."""
    ways = Ways(free=free)
    ways.tx.enabled = {"a": True, "b": True}
    ways.tx.active = {
        uid(1): Active(uid(1), "a", None, (later(1), 1)),
        uid(2): Active(uid(2), "b", None, (later(1), 1)),
    }
    ways.tx.armed = {WAIT.id: WAIT}
    asked = match(REPLACES, EVENT)
    return ways, deciding(
        Decided(
            matches=[asked, match(REFUSES, EVENT)],
            satisfied=[Satisfied(WAIT, EVENT)],
            judged=[Decision(EVENT, "a", "t", "filter", "division by zero", asked)],
            armed=[HOLD],
            disarmed=[uid(72)],
            ticking=[TICK],
        )
    )


@moved
async def test_locks_come_in_their_order_and_all_is_told_once_and_after_the_commit() -> None:
    ways, decide = busy()
    new_runs = await commit(decide, ways.parts)
    assert ways.order == [
        *DOING, "offer", "launched", "fired", "armed", "reported", "judged", "announce",
    ]  # fmt: skip
    assert [one.status for one in new_runs] == ["running", "skipped"]


@moved
async def test_each_hears_what_is_its_own() -> None:
    ways, decide = busy()
    started, refused = await commit(decide, ways.parts)
    assert [one.id for one in ways.places.offered] == [started.id]
    assert ways.heard.new_runs == [started, refused]
    assert [one.id for one in ways.heard.firings] == [WAIT.id]
    assert (ways.heard.holds, ways.heard.disarmed, ways.heard.ticks) == ([HOLD], [uid(72)], [TICK])
    assert ways.heard.rows == ways.tx.events
    assert [one.topic for one in ways.heard.rows] == [str(refused.id), "EVENTS:5/a/t"]
    assert [(one.stage, one.detail) for one in ways.heard.decisions] == [
        ("filter", "division by zero"),
        ("wait", f"woke run {WAIT.run_id} at {WAIT.path}"),
    ]
    assert ways.terminator.announced == [uid(1)]


@moved
async def test_where_nothing_was_decided_nobody_hears_anything() -> None:
    ways = Ways()
    assert await commit(deciding(Decided()), ways.parts) == []
    assert ways.told == ["offer"]
    assert not {"fire", "end_runs", "add_events", "create_runs"} & {*ways.order}


@pytest.mark.parametrize("fault", [Unavailable("away"), asyncio.CancelledError()], ids=repr)
@pytest.mark.parametrize("place", ["lock_automations", "create_runs", "fire", "commit"])
@moved
async def test_where_the_transaction_fails_places_are_given_back_and_nobody_hears(
    place: str, fault: BaseException
) -> None:
    ways, decide = busy()
    ways.tx.faults[place] = fault
    with pytest.raises(type(fault)):
        await commit(decide, ways.parts)
    assert ways.told == ["offer"]
    assert (ways.places.free, ways.places.reserved, ways.places.offered) == (9, 0, [])


@moved
async def test_runs_without_a_place_are_left_to_whoever_has_one() -> None:
    ways = Ways(free=1)
    one = automation("a", mode="parallel", max_runs=9)
    both = [match(one, event(sequence)) for sequence in (1, 2)]
    first, second = await commit(deciding(Decided(both)), ways.parts)
    assert (first.status, second.status) == ("running", "pending")
    assert [run.id for run in ways.places.offered] == [first.id]
    assert (ways.places.free, ways.places.reserved) == (0, 0)


@moved
async def test_a_place_is_reserved_for_what_starts_and_not_for_what_waits_in_line() -> None:
    ways = Ways(free=2)
    one = automation("a", mode="queued", max_runs=9)
    both = [match(one, event(sequence)) for sequence in (1, 2)]
    new_runs = await commit(deciding(Decided(both)), ways.parts)
    assert [(run.status, run.queued) for run in new_runs] == [("running", False), ("pending", True)]
    assert (ways.places.reservations, ways.places.active) == ([1], 1)


@moved
async def test_a_wait_that_somebody_else_has_fired_is_not_said_to_have_been_woken() -> None:
    ways = Ways()
    await commit(deciding(Decided(satisfied=[Satisfied(WAIT, EVENT)])), ways.parts)
    assert ways.told == ["offer"]


@moved
async def test_a_trigger_that_could_not_be_judged_is_logged_with_what_it_was_judged_for() -> None:
    ways, decide = busy()
    with capture_logs() as logs:
        await commit(decide, ways.parts)
    (line,) = logs
    assert (line["event"], line["automation_id"], line["trigger_id"], line["event_id"]) == (
        "trigger.failed", "a", "t", "test.event",
    )  # fmt: skip
    assert (line["gate"], line["error"]) == ("filter", "division by zero")
