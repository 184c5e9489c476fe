"""Judging: before the transaction; in it only what was judged is compared, or the rest judged."""

import asyncio
from typing import Any

import msgspec

from lockstep.model.automations import Automation
from lockstep.model.timers import StoredTimer
from lockstep.model.verdicts import Accept
from lockstep.model.waits import Awaited
from lockstep.pipeline import ByHand, JudgingPace, TriggerTimersDue
from lockstep.pipeline.judging import MOST_ROLLBACKS
from lockstep.pipeline.pace import BREATH_NS
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.pipeline.test_pipeline_events import Way
from unit.values import NOW, automation, event, match, triggered, uid

FILTERED = triggered(filter="true")


async def current(*automations: Automation) -> Ways:
    """The ways to a run, with an index that has loaded them."""
    ways = Ways(*automations)
    await ways.index.refresh()
    return ways


def again(ways: Ways, text: str = "true", version: int = 2) -> None:
    """Save `a` in another version, with this filter."""
    ways.save(msgspec.structs.replace(triggered(filter=text), version=version))


def took_place(ways: Ways) -> list[str]:
    """Where judging was among transactions."""
    marks = {"begin", "rollback", "commit"}
    return [one for one in ways.order if one in marks or one.startswith("judged ")]


@moved
async def test_a_batch_is_judged_before_its_transaction() -> None:
    ways = await current(FILTERED)
    await Way(ways).receive(event(1), event(2))
    assert took_place(ways) == ["judged a", "judged a", "begin", "commit"]


@moved
async def test_a_wait_is_judged_before_the_transaction() -> None:
    ways = await current()
    wait = Awaited(0, uid(50), uid(60), "trigger.payload.n == 5", None, "actions[0]", None, "c")
    ways.tx.waits, ways.tx.armed = [wait], {wait.id: wait}
    await Way(ways).receive(event(1, payload={"n": 5}))
    assert took_place(ways) == ["judged c", "begin", "commit"]
    assert [one.id for one in ways.heard.firings] == [wait.id]


@moved
async def test_a_change_of_the_automation_has_it_rolled_back_and_judged_anew() -> None:
    ways = await current(FILTERED)
    ways.pace.on_judged = lambda: None if ways.tx.number > 1 else again(ways, "false")
    assert await Way(ways).receive(event(1)) == [Accept()]
    assert took_place(ways) == ["judged a", "begin", "rollback", "judged a", "begin", "commit"]
    assert ways.statuses == []  # by the filter that is in force


@moved
async def test_a_change_of_another_automation_has_nothing_judged_again() -> None:
    ways = await current(FILTERED, automation("b", triggers=[{"event": "other.event"}]))
    ways.pace.on_judged = lambda: ways.save(automation("c", triggers=[{"event": "third.event"}]))
    await Way(ways).receive(event(1))
    assert took_place(ways) == ["judged a", "begin", "rollback", "begin", "commit"]


@moved
async def test_a_wait_that_was_armed_since_has_it_rolled_back_and_itself_alone_judged() -> None:
    ways = await current(FILTERED)
    wait = Awaited(0, uid(50), uid(60), "true", None, "actions[0]", None, "c")

    def arm() -> None:
        ways.tx.waits, ways.tx.armed = [wait], {wait.id: wait}

    ways.pace.on_judged = arm
    await Way(ways).receive(event(1))
    assert took_place(ways) == ["judged a", "begin", "rollback", "judged c", "begin", "commit"]
    assert [one.id for one in ways.heard.firings] == [wait.id]


@moved
async def test_what_changes_again_and_again_is_judged_inside_in_the_end() -> None:
    ways = await current(FILTERED)
    ways.pace.on_judged = lambda: again(ways, version=len(ways.order))
    assert await Way(ways).receive(event(1)) == [Accept()]
    tries = ["judged a", "begin", "rollback"] * MOST_ROLLBACKS
    assert took_place(ways) == [*tries, "judged a", "begin", "judged a", "commit"]
    assert len(ways.statuses) == 1


@moved
async def test_waits_that_are_armed_again_and_again_are_judged_inside_in_the_end() -> None:
    ways = await current(FILTERED)

    def arm() -> None:
        number = len(ways.order)
        wait = Awaited(0, uid(number), uid(60), "true", None, "actions[0]", None, "c")
        ways.tx.waits, ways.tx.armed = [*ways.tx.waits, wait], {}

    ways.pace.on_judged = arm
    await Way(ways).receive(event(1))
    ends = [one for one in took_place(ways) if not one.startswith("judged ")]
    assert ends == ["begin", "rollback"] * MOST_ROLLBACKS + ["begin", "commit"]
    assert took_place(ways)[-2] == "judged c"


@moved
async def test_a_message_that_was_handled_before_is_not_judged_a_second_time() -> None:
    ways = await current(FILTERED)
    way = Way(ways)
    await way.receive(event(1))
    ways.pace.on_judged = lambda: None if ways.tx.number > 1 else again(ways)
    ways.order.clear()
    await way.receive(event(1), event(2))
    assert took_place(ways).count("judged a") == 3  # both, and the new one by the new version


@moved
async def test_timers_are_judged_before_their_transaction_and_anew_after_a_change() -> None:
    held = automation(
        triggers=[{"event": "test.event", "for": {"minutes": 1}}], conditions=["true"]
    )
    ways = await current(held)
    ways.tx.timers_stored[uid(1)] = StoredTimer(
        id=uid(1), kind="hold", automation_id="a", trigger_id="test_event", event=event(1),
        schedule=None, last_value=None, due_at=NOW,
    )  # fmt: skip

    def change() -> None:
        if ways.tx.number == 1:
            ways.save(
                msgspec.structs.replace(
                    automation(triggers=[{"event": "test.event", "for": {"minutes": 1}}],
                               conditions=["false"]),
                    version=2,
                )
            )  # fmt: skip

    ways.pace.on_judged = change
    await TriggerTimersDue(ways.parts).ring([uid(1)])
    assert took_place(ways) == ["judged a", "begin", "rollback", "judged a", "begin", "commit"]
    assert (ways.statuses, ways.heard.disarmed) == ([], [uid(1)])


@moved
async def test_a_start_by_hand_is_made_anew_where_its_automation_has_changed() -> None:
    ways = await current(FILTERED)
    versions: list[int] = []

    def make(found: Automation | None) -> Any:
        assert found is not None
        if not versions:
            again(ways)
        versions.append(found.version)
        return match(found)

    (new_run,) = await ByHand(ways.parts).start("a", make)
    assert (versions, new_run.match.automation.version) == ([1, 2], 2)
    assert took_place(ways) == ["begin", "rollback", "begin", "commit"]


@moved
async def test_what_is_made_of_automations_that_change_each_time_is_made_inside() -> None:
    ways = await current(FILTERED)

    def make(found: Automation | None) -> Any:
        assert found is not None
        again(ways, version=found.version + 1)
        return match(found)

    (new_run,) = await ByHand(ways.parts).start("a", make)
    assert took_place(ways).count("rollback") == MOST_ROLLBACKS
    assert new_run.status == "running"


@moved
async def test_judging_lets_others_have_their_turn() -> None:
    pace, turns = JudgingPace(str), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    for _ in range(6):
        await pace.took("a", "test.event", BREATH_NS // 2)
    task.cancel()
    assert turns == 3
