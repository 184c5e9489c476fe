"""Timers of triggers: a hold that ended starts its run, a schedule its tick, each once."""

from typing import Any

import msgspec
import pytest

from lockstep.model.errors import Unavailable
from lockstep.model.timers import Hold, Holder, HoldEvent, StoredTimer
from lockstep.model.waits import Due
from lockstep.pipeline import TriggerTimersDue
from lockstep.ports.unhandled import Question
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import NOW, automation, event, later, triggered, uid

HELD = triggered(**{"for": {"minutes": 1}})
EVERY_MINUTE: dict[str, Any] = {
    "event": "automation.interval", "id": "t", "config": {"intervalSeconds": 60},
}  # fmt: skip


def hold(number: int = 1, seconds: float = 0, trigger_id: str = "test_event") -> StoredTimer:
    """The n-th hold, which ends so many seconds after now."""
    return StoredTimer(
        id=uid(number), kind="hold", automation_id="a", trigger_id=trigger_id,
        event=event(number, time=later(seconds - 60)), schedule=None, last_value=None,
        due_at=later(seconds),
    )  # fmt: skip


def schedule(number: int = 1, trigger_id: str = "t") -> StoredTimer:
    """The n-th schedule, which is due now."""
    return StoredTimer(
        id=uid(number), kind="schedule", automation_id="a", trigger_id=trigger_id,
        event=None, schedule="", last_value=None, due_at=NOW,
    )  # fmt: skip


def with_timers(ways: Ways, *timers: StoredTimer) -> TriggerTimersDue:
    """Have timers stored."""
    ways.tx.timers_stored = {one.id: one for one in timers}
    return TriggerTimersDue(ways.parts)


@moved
async def test_a_hold_that_ended_starts_the_run_of_its_event_and_is_no_more() -> None:
    ways = Ways(HELD)
    await with_timers(ways, hold(5)).fire([Due(uid(5), "hold", NOW)])
    (new_run,) = ways.tx.new_runs
    assert (new_run.match.event.sequence, new_run.status) == (5, "running")
    assert (ways.heard.disarmed, ways.heard.ticks, ways.tx.timers_stored) == ([uid(5)], [], {})


@pytest.mark.parametrize(("hours", "runs"), [(0, 1), (-2, 0), (-26, 0), (-24, 1)])
@moved
async def test_conditions_are_judged_at_the_deadline_of_a_hold_however_late_it_ends(
    hours: float, runs: int
) -> None:
    noon = {"time": {"after": "11:00", "before": "13:00"}}
    trigger = {"event": "test.event", "for": {"minutes": 1}}
    ways = Ways(automation(triggers=[trigger], conditions=[noon]))
    await with_timers(ways, hold(1, hours * 3600)).ring([uid(1)])
    assert (len(ways.tx.new_runs), ways.tx.timers_stored) == (runs, {})


@moved
async def test_gates_come_before_automations_and_these_before_timers() -> None:
    ways = Ways(HELD)
    await with_timers(ways, hold()).ring([uid(1)])
    steps = ["lock_keys", "lock_automations", "take_holds", "create_runs"]
    found = [one for one in ways.order if one in steps]
    assert found[:3] == steps[:3]
    assert found[-1] == steps[-1]
    assert ways.tx.locked == ["a", "h/a/test_event/"]


@moved
async def test_what_is_not_due_or_gone_stays_as_it_is() -> None:
    ways = Ways(HELD)
    await with_timers(ways, hold(1, 0.001)).ring([uid(1), uid(2)])
    assert (ways.statuses, [*ways.tx.timers_stored]) == ([], [uid(1)])
    assert ways.told == ["offer"]


@moved
async def test_what_rings_twice_starts_one_run() -> None:
    ways = Ways(HELD)
    timers = with_timers(ways, hold())
    await timers.ring([uid(1)])
    await timers.ring([uid(1)])
    assert len(ways.tx.new_runs) == 1


@moved
async def test_a_hold_that_another_replica_has_taken_behind_the_locks_starts_nothing() -> None:
    ways = Ways(HELD)
    timers = with_timers(ways, hold())
    ways.tx.taken_by_another = True
    await timers.ring([uid(1)])
    assert (ways.statuses, ways.heard.disarmed) == ([], [])


@moved
async def test_holds_of_large_events_start_their_runs_some_at_a_time() -> None:
    ways = Ways(HELD)
    timers = with_timers(ways, *(hold(number) for number in range(1, 6)))
    ways.tx.timers_at_once = 2
    await timers.ring([uid(number) for number in (5, 3, 1, 2, 4)])
    assert [one.match.event.sequence for one in ways.tx.new_runs] == [1, 2, 3, 4, 5]
    assert ways.order.count("commit") == 3


@moved
async def test_for_no_timer_there_is_no_transaction() -> None:
    ways = Ways(HELD)
    await TriggerTimersDue(ways.parts).fire([])
    assert ways.order == []


@pytest.mark.parametrize("now", [triggered(), triggered(id="other", **{"for": {"minutes": 1}})])
@moved
async def test_a_hold_whose_trigger_is_gone_or_holds_no_more_starts_nothing_and_is_disarmed(
    now: Any,
) -> None:
    ways = Ways(now)
    await with_timers(ways, hold()).ring([uid(1)])
    assert (ways.statuses, ways.heard.disarmed) == ([], [uid(1)])


@moved
async def test_a_hold_of_an_event_that_its_trigger_does_not_ask_for_starts_nothing() -> None:
    ways = Ways(triggered(event="other", id="test_event", **{"for": {"minutes": 1}}))
    await with_timers(ways, hold()).ring([uid(1)])
    assert (ways.statuses, ways.heard.disarmed, ways.tx.timers_stored) == ([], [uid(1)], {})
    assert [(one.event, one.stage, one.detail) for one in ways.heard.decisions] == [
        (hold().event, "for", "disarmed: its trigger is gone, or another by now")
    ]


@moved
async def test_conditions_are_judged_when_the_hold_ends() -> None:
    trigger = {"event": "test.event", "for": {"minutes": 1}}
    ways = Ways(automation(triggers=[trigger], conditions=["false"]))
    await with_timers(ways, hold()).ring([uid(1)])
    assert (ways.statuses, ways.heard.disarmed) == ([], [uid(1)])
    assert [one.stage for one in ways.heard.decisions] == ["conditions"]


@moved
async def test_a_hold_that_an_event_could_still_change_waits_until_none_can() -> None:
    ways = Ways(HELD)
    timers = with_timers(ways, hold(1), hold(2))
    ways.expiring.held_up = {uid(1)}
    await timers.ring([uid(1), uid(2)])
    assert [one.match.event.sequence for one in ways.tx.new_runs] == [2]
    assert [*ways.tx.timers_stored] == [uid(1)]
    asked = Question(id=uid(1), event_id="test.event", context_key=None, until=NOW)
    assert ways.expiring.questions[0] == asked
    assert ways.order.index("cleared") < ways.order.index("lock_keys")
    assert ways.expiring.again is not None
    await ways.expiring.again([uid(1)])  # though it is held up: for too long
    assert [one.match.event.sequence for one in ways.tx.new_runs] == [2, 1]


@pytest.mark.parametrize(
    "now",
    [
        automation("b"),
        triggered(),
        automation(triggers=[{**EVERY_MINUTE, "id": "test_event", "for": {"minutes": 1}}]),
    ],
    ids=["gone", "holds no more", "schedule"],
)
@moved
async def test_of_what_no_event_of_the_stream_can_change_nothing_is_asked(now: Any) -> None:
    ways = Ways(now)
    await with_timers(ways, hold()).ring([uid(1)])
    assert (ways.expiring.questions, ways.tx.timers_stored) == ([], {})


@moved
async def test_the_next_hold_is_armed_when_one_ends_and_ends_too_if_it_is_over() -> None:
    ways = Ways(HELD)
    timers, holder = with_timers(ways, hold(5, -200)), Holder("a", "test_event", None)

    def due(sequence: int, seconds: float) -> HoldEvent:
        return HoldEvent(time=later(seconds - 60), sequence=sequence, due_at=later(seconds))

    following = [due(6, -100), due(7, 0), due(8, 100)]
    ways.tx.hold_events[holder] = {one.rank: (one, event(one.sequence)) for one in following}
    ways.tx.timer_of = lambda made: hold_of(ways, made)
    await timers.ring([uid(5)])
    assert [one.match.event.sequence for one in ways.tx.new_runs] == [5, 6, 7]
    assert [one.match.held_until for one in ways.tx.new_runs] == [later(-200), later(-100), NOW]
    assert [one.by[1] for one in ways.heard.holds] == [6, 7, 8]
    assert ways.tx.holds[holder].by.sequence == 8


def hold_of(ways: Ways, made: Hold) -> StoredTimer:
    """A hold that was armed by what was kept, as it is stored."""
    payload = ways.tx.payloads[made.id]
    stamped = msgspec.structs.replace(payload, time=made.by[0])
    return msgspec.structs.replace(hold(), id=made.id, event=stamped, due_at=made.due_at)


@moved
async def test_a_schedule_fires_and_says_when_its_next_tick_is() -> None:
    ways = Ways(automation(triggers=[EVERY_MINUTE]))
    await with_timers(ways, schedule()).ring([uid(1)])
    (new_run,) = ways.tx.new_runs
    assert new_run.match.event.payload == {"firedAt": "2026-05-30T12:00:00.000Z"}
    assert ways.heard.ticks == [Due(uid(1), "schedule", later(minutes=1))]
    assert ways.tx.timers_stored[uid(1)].due_at == later(minutes=1)


@moved
async def test_a_tick_that_another_replica_has_fired_is_not_fired_again() -> None:
    ways = Ways(automation(triggers=[EVERY_MINUTE]))
    timers = with_timers(ways, schedule())
    ways.tx.taken_by_another = True
    await timers.ring([uid(1)])
    assert (ways.statuses, ways.heard.ticks) == ([], [])


@moved
async def test_a_schedule_that_was_taken_out_of_its_automation_fires_nothing() -> None:
    ways = Ways(automation())
    await with_timers(ways, schedule()).ring([uid(1)])
    assert (ways.statuses, ways.heard.ticks) == ([], [])
    assert "move_schedule" not in ways.order


@moved
async def test_while_the_store_is_away_timers_stay_due() -> None:
    ways = Ways(HELD)
    timers = with_timers(ways, hold())
    ways.tx.faults["timers"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await timers.ring([uid(1)])
    assert [*ways.tx.timers_stored] == [uid(1)]
