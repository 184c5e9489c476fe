"""Places: counted, given, kept for what was offered, and asked for where runs are ready."""

import asyncio
from typing import Any

import pytest

from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun
from lockstep.walk import Places
from lockstep_schemas.run_events import RunStatus
from unit.moved import moved, turns
from unit.values import NOW, automation, checkpoint, match, run_state, uid

MATCH: TriggerMatch = match(automation())


def new_run(status: RunStatus, *, queued: bool = False) -> NewRun:
    """A run that was launched so."""
    return NewRun(id=uid(1), match=MATCH, status=status, reason=None, at=NOW, queued=queued)


def counts(places: Places) -> tuple[int, int]:
    """What is free, and how many runs have a place."""
    return places.free, places.active


@moved
async def test_a_place_is_free_or_reserved_or_taken() -> None:
    places = Places(3)
    first, second, third = places.reserve(2), places.reserve(5), places.reserve(1)
    assert [one.places for one in (first, second, third)] == [2, 1, 0]
    assert counts(places) == (0, 0)
    places.offer([run_state(1)], first)
    assert counts(places) == (1, 1)
    places.offer([], second)
    assert counts(places) == (2, 1)
    places.release(run_state(1))
    assert counts(places) == (3, 0)


@moved
async def test_a_run_that_is_offered_twice_before_the_pool_looks_leaks_no_place() -> None:
    places = Places(3)
    places.offer([run_state(1)], places.reserve(1))
    places.offer([run_state(1)], places.reserve(1))
    for run in places.take_offered():
        places.release(run)
    assert counts(places) == (3, 0)


@moved
async def test_an_offer_that_comes_late_is_passed_over_and_a_newer_one_is_not() -> None:
    places = Places(5)
    places.offer([run_state(1, epoch=2)], places.reserve(1))
    for epoch in (1, 2):
        places.offer([run_state(1, epoch=epoch), run_state(2, epoch=epoch)], places.reserve(2))
    places.offer([run_state(1, epoch=3)], places.reserve(1))
    offered = [(run.id.int, run.epoch) for run in places.take_offered()]
    assert offered == [(1, 2), (2, 1), (2, 2), (1, 3)]
    assert places.epochs == {uid(1): 3, uid(2): 2}
    for number, epoch in offered:
        places.release(run_state(number, epoch=epoch))
    assert (counts(places), places.epochs) == ((5, 0), {})


@moved
async def test_a_reservation_is_open_until_it_is_given_back() -> None:
    places = Places(2)
    reserved, nothing = places.reserve(2), places.reserve(1)
    assert places.reservations == {reserved}
    places.offer([], nothing)
    assert places.reservations == {reserved}
    places.offer([], reserved)
    assert places.reservations == set()


@moved
async def test_what_was_reserved_for_nothing_is_free_again() -> None:
    places = Places(3)
    places.offer([], places.reserve(3))
    assert counts(places) == (3, 0)
    assert not places.news.is_set()


@moved
async def test_what_is_offered_waits_for_the_pool_and_is_taken_once() -> None:
    places = Places(3)
    runs = [run_state(1), run_state(2)]
    places.offer(runs, places.reserve(2))
    assert places.news.is_set()
    assert [*places.take_offered()] == runs
    assert [*places.take_offered()] == []
    assert places.active == 2  # until their walks end


@moved
async def test_what_is_stopped_is_taken_once() -> None:
    places = Places(3)
    places.stop([])
    assert not places.news.is_set()
    places.stop([uid(1)])
    places.stop([uid(2)])
    assert places.news.is_set()
    assert places.take_stopped() == {uid(1), uid(2)}
    assert places.take_stopped() == set()


@moved
async def test_of_the_woken_those_that_are_walked_are_given_and_those_taken_up_are_kept() -> None:
    places = Places(3)
    places.offer([run_state(3)], places.reserve(1))
    places.wake([uid(1), uid(2), uid(3), uid(4)])
    assert places.heard.is_set()
    assert places.take_woken({uid(1)}, {uid(2)}) == [uid(1)]
    assert [places.is_woken(uid(number)) for number in (1, 2, 3, 4)] == [False, True, True, False]


@moved
async def test_a_place_is_wanted_when_runs_are_ready_and_one_is_free() -> None:
    places = Places(1)
    reserved = places.reserve(1)
    places.expect_ready()
    assert not places.wanted.is_set()
    assert places.is_behind
    places.offer([run_state(1)], reserved)
    assert not places.wanted.is_set()
    places.release(run_state(1))
    assert places.wanted.is_set()


@moved
async def test_a_claim_answers_for_what_was_announced_before_it_and_for_no_more() -> None:
    places = Places(1)
    places.expect_ready()
    asked = places.asked
    places.expect_ready()
    places.none_ready(asked)
    assert (places.is_behind, places.wanted.is_set()) == (True, True)
    places.none_ready(places.asked)
    assert (places.is_behind, places.wanted.is_set()) == (False, False)
    places.none_ready(asked)  # an older claim that ends later
    assert not places.is_behind


@moved
async def test_it_is_behind_while_a_place_is_reserved() -> None:
    places = Places(2)
    reserved = places.reserve(1)
    assert places.is_behind
    places.offer([run_state(1)], reserved)
    assert not places.is_behind


@moved
async def test_who_gives_up_gives_no_more_places_and_is_done_when_all_are_released() -> None:
    places = Places(3)
    places.offer([run_state(1), run_state(2)], places.reserve(3))
    places.close()
    assert (places.free, places.reserve(1).places) == (0, 0)
    emptied = asyncio.create_task(places.emptied())
    for number in (1, 2):
        await turns()
        assert not emptied.done()
        places.release(run_state(number))
    places.expect_ready()
    assert not places.wanted.is_set()
    await emptied


@moved
async def test_who_gives_up_is_not_done_while_a_run_comes_on_a_place_reserved_before() -> None:
    places = Places(2)
    first, second = places.reserve(1), places.reserve(1)
    places.offer([run_state(1)], first)
    places.close()
    emptied = asyncio.create_task(places.emptied())
    await turns()
    places.release(run_state(1))
    places.offer([run_state(2)], second)
    await turns()
    assert not emptied.done()
    places.release(run_state(2))
    await emptied


@moved
async def test_who_has_no_run_is_done_at_once() -> None:
    await Places(1).emptied()


@pytest.mark.parametrize(
    ("fields", "is_asked"),
    [
        ({"status": "pending"}, True),
        ({"status": "pending", "queued": True}, False),  # its turn comes when another one ends
        ({"status": "running"}, False),
        ({"status": "skipped"}, False),
    ],
)
@moved
async def test_a_run_that_was_launched_without_a_place_is_to_be_claimed(
    fields: Any, is_asked: bool
) -> None:
    places = Places(1)
    places.launched([new_run(**fields)])
    assert bool(places.asked) == is_asked


@pytest.mark.parametrize(
    ("status", "queue_key", "is_asked"),
    [("success", "a", True), ("waiting", "a", False), ("success", None, False)],
)
@moved
async def test_when_a_run_of_a_queue_ends_the_next_one_is_to_be_claimed(
    status: RunStatus, queue_key: str | None, is_asked: bool
) -> None:
    places, done = Places(1), checkpoint()
    done.status, done.run.queue_key = status, queue_key
    places.checkpointed([done])
    assert bool(places.asked) == is_asked
