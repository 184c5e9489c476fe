"""Runs that are this worker's and that it does not walk: found by two looks, and given up."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import Unavailable
from lockstep.replicas import Unwalked
from lockstep.replicas.unwalked import LOOK_SECONDS
from lockstep.walk import Places
from unit.fakes import Away
from unit.moved import Background, moved, turns
from unit.values import run_state, uid


class Owned:
    """The rows of this worker."""

    def __init__(self) -> None:
        self.away = Away()
        self.epochs: dict[UUID, int] = {}
        self.given_up: list[tuple[int, int]] = []

    async def owned(self) -> Mapping[UUID, int]:
        """See `OwnedRuns`."""
        self.away.check()
        return {**self.epochs}

    async def let_go(self, runs: Sequence[tuple[UUID, int]]) -> int:
        """See `OwnedRuns`."""
        self.given_up += [(run_id.int, epoch) for run_id, epoch in runs]
        for run_id, _ in runs:
            del self.epochs[run_id]
        return len(runs)


class Scene:
    """A worker that looks, and owns run 1 at epoch 3."""

    def __init__(self) -> None:
        self.rows, self.places = Owned(), Places(4)
        self.rows.epochs[uid(1)] = 3
        self.unwalked = Unwalked(self.rows, self.places)

    def walk(self, number: int, epoch: int) -> None:
        """Have a run on a place."""
        self.places.offer([run_state(number, epoch=epoch)], self.places.reserve(1))


@moved
async def test_what_is_owned_and_not_walked_is_given_up_at_the_second_look_and_claimed() -> None:
    scene = Scene()
    await scene.unwalked.look()
    assert (scene.rows.given_up, scene.places.asked) == ([], 0)
    with capture_logs() as logs:
        await scene.unwalked.look()
    assert (scene.rows.given_up, scene.places.asked) == ([(1, 3)], 1)
    assert [(line["event"], line["runs"]) for line in logs] == [("runs.unwalked", 1)]
    await scene.unwalked.look()
    assert scene.rows.given_up == [(1, 3)]


@moved
async def test_it_is_done_within_two_seconds_of_the_doubt() -> None:
    scene = Scene()
    scene.rows.epochs.clear()
    async with Background(scene.unwalked.run()):
        await turns()
        scene.rows.epochs[uid(1)] = 1  # right after a look
        await turns()
        assert 2 * LOOK_SECONDS < 2.0
        for given_up in ([], [(1, 1)]):
            await turns_of(LOOK_SECONDS)
            assert scene.rows.given_up == given_up


async def turns_of(seconds: float) -> None:
    """Let time pass, and what is due go as far as it can."""
    await asyncio.sleep(seconds)
    await turns()


@pytest.mark.parametrize(
    ("epoch", "given_up"), [(2, [(1, 3)]), (3, []), (4, [])], ids=["older", "same", "newer"]
)
@moved
async def test_what_is_walked_is_left_unless_an_older_epoch_is(
    epoch: int, given_up: list[tuple[int, int]]
) -> None:
    scene = Scene()
    scene.walk(1, epoch)
    for _ in range(3):
        await scene.unwalked.look()
    assert scene.rows.given_up == given_up


@moved
async def test_a_run_that_moves_on_between_two_looks_is_left() -> None:
    scene = Scene()
    for epoch in range(3, 9):
        scene.rows.epochs[uid(1)] = epoch
        await scene.unwalked.look()
    assert scene.rows.given_up == []


@moved
async def test_a_run_whose_offer_comes_between_two_looks_is_left() -> None:
    scene = Scene()
    await scene.unwalked.look()
    scene.walk(1, 3)
    await scene.unwalked.look()
    assert scene.rows.given_up == []


@moved
async def test_what_a_transaction_may_bring_that_is_not_over_is_left_until_it_is() -> None:
    scene = Scene()
    reserved = scene.places.reserve(1)
    for _ in range(4):
        await scene.unwalked.look()
    later = scene.places.reserve(1)  # it was seen before this one began
    await scene.unwalked.look()
    assert scene.rows.given_up == []
    scene.places.offer([], reserved)
    await scene.unwalked.look()
    assert scene.rows.given_up == [(1, 3)]
    scene.places.offer([], later)


@moved
async def test_an_answer_that_comes_after_that_is_passed_over() -> None:
    scene = Scene()
    late = scene.places.reserve(1)
    scene.walk(1, 4)  # given up, and claimed again
    scene.places.offer([run_state(1, epoch=3)], late)
    assert [run.epoch for run in scene.places.take_offered()] == [4]


@moved
async def test_while_the_store_is_away_nothing_is_known_and_nothing_forgotten() -> None:
    scene = Scene()
    await scene.unwalked.look()
    scene.rows.away.times = 1
    with pytest.raises(Unavailable):
        await scene.unwalked.look()
    await scene.unwalked.look()
    assert scene.rows.given_up == [(1, 3)]


@moved
async def test_it_goes_on_when_the_store_is_back() -> None:
    scene = Scene()
    scene.rows.away.times = 2
    with capture_logs() as logs:
        async with Background(scene.unwalked.run()):
            await turns_of(4 * LOOK_SECONDS)
    assert scene.rows.given_up == [(1, 3)]
    assert [line["event"] for line in logs if line["event"] == "service.delayed"] == [
        "service.delayed"
    ] * 2


@moved
async def test_what_is_walked_and_not_owned_any_more_is_stopped_at_the_second_look() -> None:
    scene = Scene()
    scene.rows.epochs = {uid(1): 3, uid(2): 8}
    for number, epoch in ((1, 3), (2, 7), (3, 1)):
        scene.walk(number, epoch)
    await scene.unwalked.look()
    assert scene.places.take_stopped() == set()
    await scene.unwalked.look()
    assert scene.places.take_stopped() == {uid(2), uid(3)}


@moved
async def test_what_a_transaction_has_just_brought_or_ended_is_not_stopped() -> None:
    scene = Scene()
    scene.walk(1, 3)
    scene.walk(2, 1)  # offered, and not in the rows as they were a moment ago
    await scene.unwalked.look()
    scene.rows.epochs[uid(2)] = 1
    del scene.rows.epochs[uid(1)]  # it has ended, and its walk is about to
    await scene.unwalked.look()
    assert scene.places.take_stopped() == set()
