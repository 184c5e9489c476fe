"""Holds (`for`): a trigger starts its run only after a time in which nothing cancelled it."""

from collections.abc import Callable
from typing import Any

import pytest

from lockstep.matching.holds import HoldsOver, held, lock_name
from lockstep.model.decisions import Candidate
from lockstep.model.timers import ArmedHold, Holder
from unit.fakes import Rows
from unit.moved import moved
from unit.values import NOW, candidate, event, later, match, triggered, uid

HELD = triggered(**{"for": {"minutes": 1}}, cancel_filter="trigger.payload.off")
ARMED = "armed for 60 s"
AGAIN = "armed already: the first deadline and payload stay"
DISARMED = "disarmed by the cancel filter"
NOTHING = "cancelled, and nothing was armed"
TOO_LATE = "cancelled after the deadline: the hold ends as it is"


def arms(sequence: int = 1, key: str | None = None) -> Candidate:
    """An event that passed the filter."""
    return candidate(HELD, event(sequence, key), hold_seconds=60)


def cancels(sequence: int = 2, key: str | None = None) -> Candidate:
    """An event that passed the cancel filter."""
    return candidate(HELD, event(sequence, key), cancels=True)


def holder(key: str | None = None) -> Holder:
    """What a hold is armed for."""
    return Holder("a", "test_event", key)


def armed_until(seconds: float, number: int = 1) -> ArmedHold:
    """The n-th hold, which is armed."""
    return ArmedHold(uid(number), later(seconds))


async def details(found: list[Candidate], tx: Rows) -> list[str]:
    """What is told of each."""
    _, refused, _, _ = await held(found, NOW, tx.port, waits=True)
    assert {judged.stage for judged in refused} == {"for"}
    return [judged.detail for judged in refused]


@moved
async def test_an_event_arms_a_hold_and_starts_nothing_yet() -> None:
    tx = Rows()
    through, _, (armed,), gone = await held([arms()], NOW, tx.port, waits=True)
    assert (through, gone) == ([], [])
    assert (armed.holder, armed.event.sequence) == (holder(), 1)
    assert (armed.armed_at, armed.due_at) == (NOW, later(minutes=1))
    assert {one: hold.id for one, hold in tx.holds.items()} == {holder(): armed.id}


@moved
async def test_the_first_deadline_and_payload_stay_while_it_is_armed() -> None:
    tx = Rows()
    _, refused, (armed,), _ = await held([arms(1), arms(2)], NOW, tx.port, waits=True)
    assert [judged.detail for judged in refused] == [ARMED, AGAIN]
    assert armed.event.sequence == 1
    _, refused, more, gone = await held([arms(3)], later(30), tx.port, waits=True)
    assert ([judged.detail for judged in refused], more, gone) == ([AGAIN], [], [])


@moved
async def test_an_event_that_passes_the_cancel_filter_disarms() -> None:
    tx = Rows()
    tx.holds = {holder(): armed_until(60)}
    through, refused, armed, gone = await held([cancels()], NOW, tx.port, waits=True)
    assert (through, armed, gone) == ([], [], [uid(1)])
    assert [judged.detail for judged in refused] == [DISARMED]
    assert tx.holds == {}


@moved
async def test_what_is_armed_and_cancelled_in_one_batch_is_never_stored() -> None:
    tx = Rows()
    _, refused, armed, gone = await held([arms(), cancels()], NOW, tx.port, waits=True)
    assert [judged.detail for judged in refused] == [ARMED, DISARMED]
    assert (armed, gone, tx.holds) == ([], [], {})


@moved
async def test_after_a_cancel_the_next_event_arms_anew_with_its_own_payload() -> None:
    tx = Rows()
    tx.holds = {holder(): armed_until(60)}
    found = [arms(1), cancels(2), arms(3)]
    _, refused, (armed,), gone = await held(found, NOW, tx.port, waits=True)
    assert [judged.detail for judged in refused] == [AGAIN, DISARMED, ARMED]
    assert (armed.event.sequence, gone) == (3, [uid(1)])
    assert {one: hold.id for one, hold in tx.holds.items()} == {holder(): armed.id}


@moved
async def test_a_cancel_where_nothing_is_armed_changes_nothing() -> None:
    tx = Rows()
    assert await details([cancels(1), cancels(2)], tx) == [NOTHING, NOTHING]
    assert tx.holds == {}


@pytest.mark.parametrize("what", [arms, cancels])
@moved
async def test_an_event_that_is_later_than_the_deadline_waits_until_the_hold_has_ended(
    what: Callable[[int], Candidate],
) -> None:
    tx = Rows()
    tx.holds = {holder(): armed_until(10), holder("k"): armed_until(20, 2)}
    with pytest.raises(HoldsOver) as over:
        await held([cancels(9, "k"), what(11)], NOW, tx.port, waits=True)
    assert over.value.ids == [uid(1)]
    assert tx.calls == ["armed_holds"]


@moved
async def test_an_event_at_the_deadline_itself_disarms() -> None:
    tx = Rows()
    tx.holds = {holder(): armed_until(10)}
    assert await details([cancels(10)], tx) == [DISARMED]


@moved
async def test_a_later_event_that_cannot_wait_neither_disarms_nor_replaces_the_hold() -> None:
    tx = Rows()
    tx.holds = {holder(): armed_until(10)}
    found = [cancels(11), arms(12)]
    _, refused, armed, gone = await held(found, NOW, tx.port, waits=False)
    assert [judged.detail for judged in refused] == [TOO_LATE, AGAIN]
    assert (armed, gone, tx.holds) == ([], [], {holder(): armed_until(10)})


@moved
async def test_context_keys_hold_for_themselves() -> None:
    tx = Rows()
    told = await details([arms(1, None), arms(2, ""), arms(3, "k"), cancels(4, "")], tx)
    assert told == [ARMED, ARMED, ARMED, DISARMED]
    assert {one.context_key for one in tx.holds} == {None, "k"}


@moved
async def test_what_has_no_hold_goes_on_at_once_in_its_order() -> None:
    plain = [candidate(triggered(), event(sequence)) for sequence in (1, 3)]
    tx = Rows()
    through, _, armed, _ = await held([plain[0], arms(2), plain[1]], NOW, tx.port, waits=True)
    assert [one.match.event.sequence for one in through] == [1, 3]
    assert len(armed) == 1


@moved
async def test_where_nothing_holds_nothing_is_asked() -> None:
    tx = Rows()
    await held([candidate(triggered(), event())], NOW, tx.port, waits=True)
    assert tx.calls == []


def test_the_lock_is_that_of_the_holder() -> None:
    keys: list[Any] = [None, "", "k", "="]
    assert len({lock_name(match(HELD, event(key=key))) for key in keys}) == len(keys)
    assert lock_name(match(HELD, event(1, "k"))) == lock_name(match(HELD, event(2, "k")))
