"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from lockstep.matching import holds
from lockstep.matching.course import MOST_EVENTS, course
from lockstep.matching.holds import compacted, followed, held, lock_name
from lockstep.model.decisions import Candidate
from lockstep.model.timers import ArmedHold, Holder, HoldEvent
from lockstep_schemas.events import Actor
from unit.fakes import Rows
from unit.moved import moved
from unit.values import NOW, candidate, event, later, triggered, uid

HELD = triggered(**{"for": {"minutes": 1}}, cancel_filter="trigger.payload.off")
ARMED = "armed for 60 s"
AGAIN = "armed already: the first deadline and payload stay"
DISARMED = "disarmed by the cancel filter"
NOTHING = "cancelled, and nothing was armed"
TOO_LATE = "cancelled after the deadline: the hold ends as it is"


def arms(sequence: int = 1, key: str | None = None, seconds: float = 60) -> Candidate:
    """An event that passed the filter: stored `sequence` seconds after NOW."""
    return candidate(HELD, event(sequence, key), hold_seconds=seconds)


def cancels(sequence: int = 2, key: str | None = None) -> Candidate:
    """An event that passed the cancel filter."""
    return candidate(HELD, event(sequence, key), cancels=True)


def holder(key: str | None = None) -> Holder:
    """What a hold is armed for."""
    return Holder("a", "test_event", key)


async def details(tx: Rows, *found: Candidate) -> list[str]:
    """What is told of each, handled in one batch."""
    through, refused, _, _ = await held(found, NOW, tx.port)
    assert through == []
    assert {judged.stage for judged in refused} == {"for"}
    return [judged.detail for judged in refused]


async def one_by_one(tx: Rows, *found: Candidate) -> list[str]:
    """What is told of each, handled one after the other."""
    return [detail for one in found for detail in await details(tx, one)]


def kept(tx: Rows, key: str | None = None) -> list[int]:
    """The sequences of the events that are kept beside the hold."""
    return [sequence for _, sequence in sorted(tx.hold_events.get(holder(key), {}))]


def standing(tx: Rows, key: str | None = None) -> int | None:
    """The sequence of the event whose hold stands."""
    hold = tx.holds.get(holder(key))
    return None if hold is None else hold.by.sequence


@moved
async def test_an_event_arms_a_hold_and_starts_nothing_yet() -> None:
    tx = Rows()
    through, _, (armed,), gone = await held([arms()], NOW, tx.port)
    assert (through, gone) == ([], [])
    assert (armed.holder, armed.event, armed.event_id) == (holder(), event(1), "test.event")
    assert (armed.armed_at, armed.due_at) == (NOW, later(61))
    assert (standing(tx), kept(tx)) == (1, [])


@moved
async def test_it_holds_from_the_time_of_its_event_however_late_it_is_handled() -> None:
    _, _, (armed,), _ = await held([arms(5)], later(1000), Rows().port)
    assert (armed.armed_at, armed.due_at) == (later(1000), later(65))


@moved
async def test_the_first_deadline_and_payload_stay_while_it_is_armed() -> None:
    tx = Rows()
    _, refused, (armed,), _ = await held([arms(1), arms(2)], NOW, tx.port)
    assert [judged.detail for judged in refused] == [ARMED, AGAIN]
    assert armed.by == (later(1), 1)
    _, refused, more, gone = await held([arms(61)], later(30), tx.port)
    assert ([judged.detail for judged in refused], more, gone) == ([AGAIN], [], [])
    assert kept(tx) == [2, 61]


@moved
async def test_an_event_that_passes_the_cancel_filter_disarms() -> None:
    tx = Rows()
    _, _, (armed,), _ = await held([arms(1)], NOW, tx.port)
    through, refused, more, gone = await held([cancels(61)], NOW, tx.port)
    assert (through, more, gone) == ([], [], [armed.id])
    assert [judged.detail for judged in refused] == [DISARMED]
    assert (standing(tx), kept(tx)) == (None, [1, 61])


@moved
async def test_what_is_armed_and_cancelled_in_one_batch_arms_no_timer() -> None:
    tx = Rows()
    _, refused, armed, gone = await held([arms(1), cancels(2)], NOW, tx.port)
    assert [judged.detail for judged in refused] == [ARMED, DISARMED]
    assert (armed, gone, standing(tx), kept(tx)) == ([], [], None, [1, 2])


@moved
async def test_after_a_cancel_the_next_event_arms_anew_with_its_own_payload() -> None:
    tx = Rows()
    _, _, (first,), _ = await held([arms(1)], NOW, tx.port)
    _, refused, (armed,), gone = await held([arms(2), cancels(3), arms(4)], NOW, tx.port)
    assert [judged.detail for judged in refused] == [AGAIN, DISARMED, ARMED]
    assert (armed.by[1], gone, kept(tx)) == (4, [first.id], [1, 2, 3])


@moved
async def test_a_cancel_where_nothing_is_armed_changes_nothing_yet() -> None:
    tx = Rows()
    assert await details(tx, cancels(1), cancels(2)) == [NOTHING, NOTHING]
    assert (standing(tx), kept(tx)) == (None, [1, 2])


@moved
async def test_an_arming_event_that_is_handled_after_its_cancelling_one_arms_nothing() -> None:
    tx = Rows()
    told = await one_by_one(tx, cancels(2), arms(1))
    by = "armed for 60 s, and cancelled by an event of 2026-05-30T12:00:02.000Z"
    assert told == [NOTHING, f"{by}, which was handled before"]
    assert (standing(tx), tx.payloads) == (None, {})


@moved
async def test_a_cancel_that_is_handled_late_lets_the_next_event_arm() -> None:
    tx = Rows()
    told = await one_by_one(tx, arms(1), arms(3), cancels(2))
    assert told == [ARMED, AGAIN, f"{DISARMED}, and armed by an event of 2026-05-30T12:00:03.000Z"]
    assert (standing(tx), tx.holds[holder()].by.until) == (3, later(63))


@moved
async def test_an_earlier_event_that_is_handled_late_takes_the_place_of_the_hold() -> None:
    tx = Rows()
    _, _, (first,), _ = await held([arms(10)], NOW, tx.port)
    _, refused, (armed,), gone = await held([arms(1)], NOW, tx.port)
    assert ([judged.detail for judged in refused], gone) == ([ARMED], [first.id])
    assert (armed.by[1], standing(tx), kept(tx)) == (1, 1, [10])
    assert await details(tx, cancels(5)) == [
        f"{DISARMED}, and armed by an event of 2026-05-30T12:00:10.000Z"
    ]
    assert standing(tx) == 10


@moved
async def test_two_holds_stand_where_an_event_is_later_than_the_deadline() -> None:
    tx = Rows()
    assert await one_by_one(tx, arms(1), arms(62), cancels(63)) == [ARMED, ARMED, DISARMED]
    assert await details(tx, cancels(64)) == [TOO_LATE]
    assert (standing(tx), kept(tx)) == (1, [62, 63, 64])
    assert await details(tx, arms(65)) == [ARMED]
    taken = {holder(): ("test.event", tx.holds.pop(holder()).by)}
    (following,) = await followed(taken, later(200), tx.port)
    assert (following.by, following.due_at, standing(tx)) == ((later(65), 65), later(125), 65)
    assert following.event_id == "test.event"


@moved
async def test_what_was_up_to_the_deadline_goes_with_its_hold() -> None:
    tx = Rows()
    await one_by_one(tx, cancels(1), arms(2), arms(3), arms(62), cancels(63))
    assert kept(tx) == [1, 3, 62, 63]
    taken = {holder(): ("test.event", tx.holds.pop(holder()).by)}
    assert await followed(taken, later(200), tx.port) == []
    assert kept(tx) == [63]


@moved
async def test_nothing_follows_a_hold_that_nobody_asks_for() -> None:
    tx = Rows()
    await one_by_one(tx, arms(1), arms(90))
    del tx.holds[holder()]
    assert await followed({holder(): None}, later(200), tx.port) == []
    assert kept(tx) == []


@moved
async def test_context_keys_hold_for_themselves() -> None:
    tx = Rows()
    told = await details(tx, arms(1, None), arms(2, ""), arms(3, "k"), cancels(4, ""))
    assert told == [ARMED, ARMED, ARMED, DISARMED]
    assert {one.context_key for one in tx.holds} == {None, "k"}


@moved
async def test_what_has_no_hold_goes_on_at_once_in_its_order() -> None:
    plain = [candidate(triggered(), event(sequence)) for sequence in (1, 3)]
    through, _, armed, _ = await held([plain[0], arms(2), plain[1]], NOW, Rows().port)
    assert [one.match.event.sequence for one in through] == [1, 3]
    assert len(armed) == 1


@moved
async def test_where_nothing_holds_nothing_is_asked() -> None:
    tx = Rows()
    await held([candidate(triggered(), event())], NOW, tx.port)
    await followed({}, NOW, tx.port)
    assert tx.calls == []


@moved
async def test_a_hold_that_older_code_has_armed_keeps_its_deadline() -> None:
    tx = Rows()
    by = HoldEvent(time=later(1), sequence=1, due_at=later(75))  # by when it was handled
    tx.holds[holder()] = ArmedHold(uid(1), by)
    assert await one_by_one(tx, arms(70), arms(76), cancels(77)) == [AGAIN, ARMED, DISARMED]
    assert tx.holds[holder()] == ArmedHold(uid(1), by)


@pytest.mark.parametrize(
    "by", [None, HoldEvent(time=later(9), sequence=9, due_at=later(69))], ids=["gone", "another"]
)
@moved
async def test_what_is_kept_goes_where_older_code_has_disarmed_or_armed(
    by: HoldEvent | None,
) -> None:
    tx = Rows()
    await one_by_one(tx, arms(1), arms(2), arms(70))
    del tx.holds[holder()]
    if by is not None:
        tx.holds[holder()] = ArmedHold(uid(1), by)
    with capture_logs() as logs:
        assert await details(tx, cancels(5)) == [NOTHING]
    assert [line["event"] for line in logs] == ["hold.events_outdated"]
    assert (standing(tx), kept(tx)) == (None if by is None else 9, [5])


@moved
async def test_what_is_kept_beside_a_hold_of_older_code_stays_where_it_fits() -> None:
    tx = Rows()
    await one_by_one(tx, arms(1), arms(90))
    by = HoldEvent(time=later(9), sequence=9, due_at=later(69))
    tx.holds[holder()] = ArmedHold(uid(1), by)
    assert await details(tx, cancels(91)) == [DISARMED]
    assert (standing(tx), kept(tx)) == (9, [90, 91])


@moved
async def test_an_event_that_comes_twice_counts_once() -> None:
    tx = Rows()
    assert await details(tx, arms(1), arms(1), arms(2)) == [ARMED, ARMED, AGAIN]
    assert await details(tx, arms(2), cancels(3)) == [AGAIN, DISARMED]
    assert kept(tx) == [1, 2, 3]


@moved
async def test_of_too_many_events_the_oldest_are_taken_as_decided_with_a_warning() -> None:
    tx = Rows()
    await details(tx, arms(1, seconds=9000), *(arms(at) for at in range(2, MOST_EVENTS + 2)))
    assert len(kept(tx)) == MOST_EVENTS
    with capture_logs() as logs:
        assert await details(tx, arms(MOST_EVENTS + 2)) == [AGAIN]
    (line,) = logs
    assert (line["event"], line["events"]) == ("hold.events_crowded", MOST_EVENTS // 4 + 1)
    assert kept(tx) == list(range(MOST_EVENTS // 4 + 3, MOST_EVENTS + 3))
    assert standing(tx) == 1


@moved
async def test_what_starts_a_run_for_sure_stays_however_much_it_is() -> None:
    tx = Rows()
    found = [arms(2 * at, seconds=1) for at in range(MOST_EVENTS + 9)]
    with capture_logs() as logs:
        await details(tx, *found)
    assert len(kept(tx)) == MOST_EVENTS + 8
    assert logs == []


@pytest.mark.parametrize("said", ["body", "actor", "message_id"])
@moved
async def test_all_that_a_publisher_has_said_counts_where_room_is_bounded(said: str) -> None:
    large = "x" * (1 << 20)
    what = {"body": large.encode(), "actor": Actor(name=large), "message_id": large}[said]
    found = [candidate(HELD, event(at, **{said: what}), hold_seconds=60) for at in range(2, 6)]
    with capture_logs() as logs:
        await details(Rows(), arms(1, seconds=9000), *found)
    assert [line["event"] for line in logs] == ["hold.events_crowded"]


@moved
async def test_the_key_of_what_cancels_counts_too() -> None:
    key = "k" * (1 << 20)
    with capture_logs() as logs:
        await details(Rows(), *(cancels(at, key) for at in range(5)))
    assert [line["event"] for line in logs] == ["hold.events_crowded"]


def test_the_lock_is_that_of_the_holder() -> None:
    keys: list[Any] = [None, "", "k", "="]
    assert len({lock_name(holder(key)) for key in keys}) == len(keys)
    assert holds.holder_of(arms(1, "k").match) == holder("k")


SPANS = st.sampled_from([5.0, 20.0, 60.0])
EVENTS = st.lists(
    st.tuples(st.integers(1, 200), st.one_of(st.none(), SPANS)),
    max_size=12,
    unique_by=lambda one: one[0],
)


@given(EVENTS, st.integers(0, 1 << 32))
def test_what_comes_out_does_not_depend_on_the_order_of_handling(
    found: list[tuple[int, float | None]], seed: int
) -> None:
    """Handled in any order, in any batches, some twice; ended and compacted as soon as may be."""
    wanted = [
        HoldEvent(time=later(at), sequence=at, due_at=None if span is None else later(at + span))
        for at, span in sorted(found)
    ]
    came = asyncio.run(handled(found, random.Random(seed)))  # noqa: S311
    assert came == [one.sequence for one in course(wanted).holds]


async def handled(found: Sequence[tuple[int, float | None]], chance: random.Random) -> list[int]:
    """Handle events in an order that chance gives; say which have started a run, in order."""
    tx, came = Rows(), list[int]()
    left = [cancels(at) if span is None else arms(at, None, span) for at, span in found]
    chance.shuffle(left)
    while True:
        unhandled = min((one.match.event.time for one in left), default=later(10_000))
        hold = tx.holds.get(holder())
        if hold is not None and hold.by.until < unhandled and chance.random() < 0.7:
            came.append(tx.holds.pop(holder()).by.sequence)
            await followed({holder(): ("test.event", hold.by)}, NOW, tx.port)
        elif chance.random() < 0.3:
            known = await tx.held_events([holder()])
            until = unhandled - (later(0.001) - later(0))
            await tx.change_holds(compacted(known, [], until))
        elif left:
            many = chance.randint(1, 3)
            batch, left = left[:many], left[many:]
            await held([*batch, *chance.choices(batch, k=chance.randint(0, 1))], NOW, tx.port)
        elif hold is None:
            return came
