"""Satisfied: the waits that an event ends, each at most once, by the first event that passes."""

from typing import Any
from uuid import UUID

from structlog.testing import capture_logs

from lockstep.model.events import Event
from lockstep.model.waits import Awaited, Satisfied
from lockstep.pipeline import JudgingPace
from lockstep.wake import Correlation
from lockstep.wake.correlate import MOST_TOLD
from lockstep_schemas.events import Actor
from unit.fakes import Rows
from unit.moved import moved
from unit.values import FAILS, RENDERER, event, uid


def wait(number: int, place: int = 0, text: str | None = None, **scope: Any) -> Awaited:
    """The n-th wait, which the event at a place may end."""
    run_scope = scope or None
    return Awaited(place, uid(number), uid(100 + number), text, run_scope, "actions[0]", None, "a")


async def found(tx: Rows, *events: Event) -> list[Satisfied]:
    """The waits that events end."""
    waits = Correlation(RENDERER.expression, JudgingPace(str))
    await waits.prepare(events, await tx.awaited(events))
    standing = await tx.standing(events)
    ended = await waits.satisfied(events, standing.armed, tx.port)
    assert ended is not None
    return ended


def pairs(ended: list[Satisfied]) -> list[tuple[int, int]]:
    """Waits and what ended them, as numbers."""
    return [(one.wait.id.int, one.event.sequence) for one in ended]


@moved
async def test_an_event_ends_all_waits_that_its_filters_let_it() -> None:
    tx = Rows()
    tx.waits = [
        wait(1),
        wait(2, text="trigger.payload.n > 3"),
        wait(3, text="trigger.payload.n > 5"),
    ]
    assert pairs(await found(tx, event(7, payload={"n": 5}))) == [(1, 7), (2, 7)]


@moved
async def test_a_wait_is_ended_once_by_the_first_event_that_passes() -> None:
    tx = Rows()
    tx.waits = [wait(1, place, "trigger.payload.n > 3") for place in (0, 1, 2)]
    events = [event(sequence, payload={"n": sequence}) for sequence in (3, 4, 5)]
    assert pairs(await found(tx, *events)) == [(1, 4)]


@moved
async def test_a_filter_sees_the_event_and_what_was_kept_of_its_run() -> None:
    tx = Rows()
    seen = (
        "trigger.payload.id == run_scope.variables.id and trigger.actor.id == 'u'"
        " and trigger.context_key == 'k' and now == '2026-05-30T12:00:01.000Z'"
    )
    tx.waits = [wait(1, text=seen, variables={"id": 7}), wait(2, text=seen, variables={"id": 8})]
    arrived = event(1, "k", payload={"id": 7}, actor=Actor(id="u"))
    assert pairs(await found(tx, arrived)) == [(1, 1)]


@moved
async def test_a_filter_that_asks_for_what_is_not_there_is_false() -> None:
    tx = Rows()
    tx.waits = [wait(1, text="run_scope.variables.id > 1")]
    assert await found(tx, event()) == []
    assert tx.warnings == {}


@moved
async def test_a_filter_that_cannot_be_judged_keeps_its_wait_waiting_with_a_warning() -> None:
    tx = Rows()
    tx.waits = [wait(2, text=FAILS), wait(1, text=FAILS), wait(3)]
    with capture_logs() as logs:
        assert pairs(await found(tx, event())) == [(3, 1)]
    reason = "the filter could not be judged for an event: division by zero"
    assert tx.warnings == {uid(1): reason, uid(2): reason}
    assert [*tx.warnings] == [uid(1), uid(2)]  # rows are updated in one order
    assert [(line["event"], line["run_id"]) for line in logs] == [
        ("wait.failed", str(uid(102))),
        ("wait.failed", str(uid(101))),
    ]


@moved
async def test_a_wait_that_could_not_be_judged_for_one_event_is_ended_by_the_next() -> None:
    tx = Rows()
    tx.waits = [wait(1, place, "1 / trigger.payload.n > 0") for place in (0, 1)]
    ended = await found(tx, event(1, payload={"n": 0}), event(2, payload={"n": 1}))
    assert pairs(ended) == [(1, 2)]
    assert [*tx.warnings] == [uid(1)]


@moved
async def test_nothing_is_warned_of_for_no_reasons() -> None:
    tx = Rows()
    await found(tx, event())
    assert tx.calls == ["awaited", "standing"]


@moved
async def test_a_wait_that_was_armed_since_is_not_judged_and_one_that_is_gone_is_left_out() -> None:
    tx = Rows()
    tx.waits = [wait(1), wait(2)]
    waits = Correlation(RENDERER.expression, JudgingPace(str))
    await waits.prepare([event()], await tx.awaited([event()]))
    tx.waits = [wait(1)]
    ended = await waits.satisfied([event()], (await tx.standing([event()])).armed, tx.port)
    assert pairs(ended or []) == [(1, 1)]
    tx.waits = [wait(1), wait(3)]
    armed = (await tx.standing([event()])).armed
    assert await waits.satisfied([event()], armed, tx.port) is None
    await waits.prepare([event()], await tx.awaited([event()]))
    assert pairs(await waits.satisfied([event()], armed, tx.port) or []) == [(1, 1), (3, 1)]


@moved
async def test_where_the_first_of_two_events_has_been_handled_before_the_second_is_judged() -> None:
    """The second was not: a wait is ended by one event alone."""
    tx = Rows()
    tx.waits = [wait(1, 0), wait(1, 1)]
    events = [event(1), event(2)]
    waits = Correlation(RENDERER.expression, JudgingPace(str))
    await waits.prepare(events, await tx.awaited(events))
    tx.waits = [wait(1, 0)]
    assert await waits.satisfied(events[1:], [(0, uid(1))], tx.port) is None
    await waits.prepare(events[1:], await tx.awaited(events[1:]))
    assert pairs(await waits.satisfied(events[1:], [(0, uid(1))], tx.port) or []) == [(1, 2)]


async def passed_over(*waits: Awaited, of: Event, are_kept: bool = True) -> list[tuple[UUID, str]]:
    """The runs that wait on, and why."""
    tx = Rows()
    tx.waits = [*waits]
    found = Correlation(RENDERER.expression, JudgingPace(str), lambda: are_kept)
    await found.prepare([of], await tx.awaited([of]))
    armed = (await tx.standing([of])).armed
    told = found.passed_over([of], armed)
    assert {one.stage for one in told} <= {"wait_filter"}
    return [(one.run_id or UUID(int=0), one.detail) for one in told]


@moved
async def test_it_tells_of_each_wait_that_goes_on_what_its_filter_saw() -> None:
    waits = [
        wait(1, text="trigger.payload.n > 3"),
        wait(2, text="trigger.payload.n > 5"),
        wait(3, text=FAILS),
        wait(4),
        wait(5, text="run_scope.n == 5 and true", n=7),
    ]
    assert await passed_over(*waits, of=event(payload={"n": 5})) == [
        (uid(102), "false: trigger.payload.n > 5; `trigger.payload.n` is 5"),
        (uid(103), "the filter could not be judged: division by zero"),
        (
            uid(105),
            "false: run_scope.n == 5 and true; `run_scope.n == 5` is false: `run_scope.n` is 7",
        ),
    ]


@moved
async def test_of_many_waits_that_go_on_some_are_told_and_how_many_more_there_are() -> None:
    waits = [wait(number, text="false") for number in range(1, 1 + MOST_TOLD + 5)]
    told = await passed_over(*waits, of=event())
    assert [run for run, _ in told] == [*(one.run_id for one in waits[:MOST_TOLD]), UUID(int=0)]
    assert told[-1][1] == "5 more waits were passed over by this event"


@moved
async def test_nothing_of_waits_is_explained_where_nobody_keeps_it() -> None:
    assert await passed_over(wait(1, text="false"), of=event(), are_kept=False) == []
