"""The pool: a task for each run that has a place, whenever it was offered, stopped or woken."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.catalog import ServiceBag, build_catalog
from lockstep.model.automations import DefinitionLost, DefinitionUnreadable
from lockstep.model.program import Program
from lockstep.model.runs import Checkpoint, Consumed, OwnerLost, RunState
from lockstep.model.waits import FiredWait, Woken
from lockstep.walk import Places, WalkParts, WalkPool
from lockstep.walk.patience import RETRY_SECONDS
from lockstep_schemas.base import Json
from unit.fakes import Away
from unit.moved import Background, Clock, moved, turns
from unit.values import program, run_state, uid

ENDS = program()
ACTS = program(actions=[{"variables": {"a": 1}}])


class Store:
    """What walks read and write; may hold them up."""

    def __init__(self) -> None:
        self.away = Away()
        self.saves = asyncio.Event()
        self.saves.set()
        self.lost = False
        self.faults: dict[int, BaseException] = {}  # by the number of a run
        self.unread: set[int] = set()
        self.parked: dict[int, str] = {}
        self.begun: list[tuple[int, str]] = []  # checkpoints that were asked for
        self.saved: list[tuple[int, str]] = []
        self.asked: list[list[int]] = []

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """See `ports.walk.Checkpoints`."""
        told = (checkpoint.run.id.int, checkpoint.status)
        self.begun.append(told)
        await self.saves.wait()
        if told[0] in self.faults:
            raise self.faults[told[0]]
        if self.lost:
            raise OwnerLost(run_id=checkpoint.run.id, epoch=1)
        self.saved.append(told)
        return 0

    async def fired(self, run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
        """See `ports.walk.History`."""
        self.asked.append(sorted(one.int for one in run_ids))
        self.away.check()
        if self.unread & {one.int for one in run_ids}:
            raise LookupError("a row that nobody can read")
        return {one: Woken(4, {uid(77): FiredWait("due")}) for one in run_ids}

    async def park(self, run: RunState, reason: str) -> None:
        """See `ports.walk.History`."""
        self.away.check()
        self.parked[run.id.int] = reason

    async def items(self, run_id: UUID, seqs: Sequence[int]) -> Mapping[int, list[Json]]:
        """See `ports.walk.History`."""
        raise AssertionError("no program of this file has a loop")

    async def consumable(
        self, automation_id: str, context_key: str | None, types: Sequence[str]
    ) -> Consumed:
        """See `ports.walk.History`."""
        raise AssertionError("no program of this file has an action")


class Scene:
    """A pool on its places, and the store behind it."""

    def __init__(self, limit: int = 3, of: Program = ENDS) -> None:
        self.places, self.store, self.program = Places(limit), Store(), of
        self.programs_away = Away()
        self.programs_fault: BaseException | None = None
        self.finds = asyncio.Event()
        self.finds.set()
        parts = WalkParts(
            checkpoints=self.store, history=self.store, catalog=build_catalog(open=True),
            services=ServiceBag(), clock=Clock(),
        )  # fmt: skip
        self.pool = WalkPool(self.places, parts, self._program)

    async def _program(self, automation_id: str, version: int) -> Program:
        await self.finds.wait()
        self.programs_away.check()
        if self.programs_fault is not None:
            raise self.programs_fault
        return self.program

    def offer(self, *runs: RunState | int) -> list[RunState]:
        """Offer runs, or those of these numbers."""
        given = [run_state(one) if isinstance(one, int) else one for one in runs]
        self.places.offer(given, self.places.reserve(len(given)))
        return given


@moved
async def test_what_was_offered_before_the_pool_runs_is_walked_when_it_does() -> None:
    scene = Scene()
    scene.offer(1, 2)
    await turns()
    assert scene.store.begun == []
    async with Background(scene.pool.run()):
        await turns()
        scene.offer(3)
        await turns()
    assert sorted(scene.store.saved) == [(1, "success"), (2, "success"), (3, "success")]
    assert (scene.places.free, scene.places.active) == (3, 0)


@moved
async def test_a_run_has_its_place_until_its_walk_has_ended() -> None:
    scene = Scene(limit=1)
    scene.store.saves.clear()
    async with Background(scene.pool.run()):
        scene.offer(1)
        await turns()
        assert (scene.places.free, scene.places.active, scene.pool.active) == (0, 1, 1)
        scene.store.saves.set()
        await turns()
        assert (scene.places.free, scene.places.active, scene.pool.active) == (1, 0, 0)


@moved
async def test_a_run_that_is_stopped_before_its_first_step_does_nothing_and_frees_its_place() -> (
    None
):
    scene = Scene()
    async with Background(scene.pool.run()):
        await turns()
        scene.offer(1, 2)
        scene.places.stop([uid(1)])
        await turns()
        assert scene.store.begun == [(2, "success")]
        assert (scene.places.free, scene.pool.active) == (3, 0)


@moved
async def test_a_walk_that_is_stopped_is_cancelled_whatever_it_waits_for() -> None:
    scene = Scene()
    scene.store.saves.clear()
    async with Background(scene.pool.run()):
        scene.offer(1, 2)
        await turns()
        with capture_logs() as logs:
            scene.places.stop([uid(1), uid(9)])  # one of them is not walked here
            await turns()
        assert (scene.places.active, scene.pool.active) == (1, 1)
        scene.store.saves.set()
        await turns()
    assert scene.store.saved == [(2, "success")]
    assert [(line["event"], line["run_id"], line["automation_id"]) for line in logs] == [
        ("run.stopped", str(uid(1)), "a")
    ]


@moved
async def test_a_walk_ends_whose_run_is_offered_with_a_newer_epoch() -> None:
    scene = Scene()
    scene.store.saves.clear()
    async with Background(scene.pool.run()):
        scene.offer(run_state(1, epoch=1))
        await turns()
        scene.offer(run_state(1, epoch=2))
        await turns()
        assert (scene.places.active, scene.pool.active, scene.places.epochs) == (1, 1, {uid(1): 2})
        scene.offer(run_state(1, epoch=1))  # the answer of a commit that was given up
        await turns()
        assert scene.store.begun == [(1, "success")] * 2
        scene.store.saves.set()
        await turns()
    assert (scene.places.free, scene.places.epochs) == (3, {})


@moved
async def test_a_run_that_cannot_be_read_is_parked_and_has_no_place() -> None:
    scene = Scene()
    async with Background(scene.pool.run()):
        scene.offer(run_state(1, document=b'{"f":99}'), run_state(2, document=b"damaged"), 3)
        await turns()
    assert {number: reason.split(";")[0] for number, reason in scene.store.parked.items()} == {
        1: "the saved state of the run has format 99, this engine knows 1",
        2: "the saved state of the run cannot be read: JSON is malformed: invalid character"
        " (byte 0)",
    }
    assert scene.store.saved == [(3, "success")]
    assert (scene.places.free, scene.places.epochs) == (3, {})


@moved
async def test_a_run_whose_automation_cannot_be_compiled_is_parked_and_one_that_is_gone_fails() -> (
    None
):
    scene = Scene()
    async with Background(scene.pool.run()):
        scene.programs_fault = DefinitionUnreadable("no action 'mailer.send'")
        scene.offer(1)
        await turns()
        scene.programs_fault = DefinitionLost("automation a v1 is not stored any more")
        scene.offer(2)
        await turns()
    assert scene.store.parked == {1: "no action 'mailer.send'"}
    assert scene.store.saved == [(2, "failed")]


@moved
async def test_a_run_is_parked_as_soon_as_the_store_is_back() -> None:
    scene = Scene()
    scene.store.away.times = 1
    async with Background(scene.pool.run()):
        scene.offer(run_state(1, document=b"damaged"))
        await turns()
        assert (scene.store.parked, scene.places.free) == ({}, 2)
        await asyncio.sleep(60)
    assert ([*scene.store.parked], scene.places.free) == ([1], 3)


@moved
async def test_runs_that_are_walked_hear_together_what_has_fired_of_them() -> None:
    scene = Scene()
    scene.store.saves.clear()
    async with Background(scene.pool.run()):
        first, second = scene.offer(1, 2)
        await turns()
        scene.places.wake([uid(1), uid(2), uid(9)])
        await turns()
        assert scene.store.asked == [[1, 2]]
        assert (first.wakes, second.wakes) == (4, 4)


@moved
async def test_a_run_that_is_woken_while_it_is_taken_up_hears_of_it_afterwards() -> None:
    scene = Scene()
    scene.finds.clear()
    scene.store.saves.clear()
    async with Background(scene.pool.run()):
        (run,) = scene.offer(1)
        await turns()
        scene.places.wake([uid(1)])
        await turns()
        assert scene.store.asked == []
        scene.finds.set()
        await turns()
        assert (scene.store.asked, run.wakes) == ([[1]], 4)


@moved
async def test_what_was_woken_while_the_store_is_away_is_left_to_the_sweep() -> None:
    scene = Scene()
    scene.store.saves.clear()
    scene.store.away.times = 1
    async with Background(scene.pool.run()):
        (run,) = scene.offer(1)
        await turns()
        scene.places.wake([uid(1)])
        await turns()
        assert run.wakes == 0
        scene.places.wake([uid(1)])
        await turns()
        assert run.wakes == 4


@moved
async def test_who_gives_up_lets_walks_end_between_two_actions_for_others_to_go_on() -> None:
    scene = Scene(of=ACTS)
    scene.finds.clear()
    async with Background(scene.pool.run()):
        scene.offer(1)
        await turns()
        given_up = asyncio.create_task(scene.pool.give_up())
        await turns()
        assert not given_up.done()
        assert scene.places.reserve(1).places == 0
        scene.finds.set()
        await given_up
    assert scene.store.saved == [(1, "pending")]


@moved
async def test_who_gives_up_waits_for_what_was_offered_on_a_place_reserved_before() -> None:
    scene = Scene(of=ACTS)
    async with Background(scene.pool.run()):
        await turns()
        reserved = scene.places.reserve(1)
        given_up = asyncio.create_task(scene.pool.give_up())
        scene.places.offer([run_state(1)], reserved)
        await given_up
    assert scene.store.saved == [(1, "pending")]


@moved
async def test_who_walks_nothing_has_given_up_at_once() -> None:
    await Scene().pool.give_up()


@moved
async def test_a_run_is_taken_up_as_soon_as_the_store_is_back() -> None:
    scene = Scene()
    scene.programs_away.times = 2
    async with Background(scene.pool.run()):
        scene.offer(1)
        await asyncio.sleep(2 * RETRY_SECONDS - 0.1)
        assert scene.store.saved == []
        await asyncio.sleep(0.2)
    assert scene.store.saved == [(1, "success")]


@moved
async def test_a_run_that_cannot_be_taken_up_fails_and_holds_nobody_up() -> None:
    scene = Scene()
    async with Background(scene.pool.run()):
        scene.offer(run_state(1, has_frames=False), 2)
        await turns()
    assert sorted(scene.store.saved) == [(1, "failed"), (2, "success")]
    assert scene.places.active == 0


@moved
async def test_a_run_that_another_worker_has_taken_is_let_go() -> None:
    scene = Scene()
    scene.store.lost = True
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            scene.offer(1)
            await turns()
            assert scene.places.active == 0
    assert [line["event"] for line in logs] == ["run.lost"]


@moved
async def test_a_run_that_cannot_even_be_failed_ends_no_walk_beside_it() -> None:
    scene = Scene()
    scene.store.faults[1] = LookupError("a fault of ours")
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            scene.offer(1, 2)
            await turns()
            scene.offer(3)
            await turns()
    assert sorted(scene.store.saved) == [(2, "success"), (3, "success")]
    assert scene.places.active == 0
    assert [line["event"] for line in logs] == ["run.failed", "run.unwalked"]


@moved
@pytest.mark.parametrize("fault", [SystemExit(1), GeneratorExit(), asyncio.CancelledError()])
async def test_a_walk_that_ends_by_what_nobody_asked_for_fails_its_run_and_ends_nothing_else(
    fault: BaseException,
) -> None:
    scene = Scene()
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            scene.programs_fault = fault
            scene.offer(1)
            await turns()
            scene.programs_fault = None
            scene.store.faults[2] = fault  # cannot even be failed
            scene.offer(2)
            await turns()
            scene.offer(3)
            await turns()
            assert scene.places.active == 0
    assert scene.store.saved == [(1, "failed"), (3, "success")]
    assert [line["event"] for line in logs] == ["run.failed", "run.failed", "run.unwalked"]


@moved
async def test_walks_that_end_with_their_pool_fail_no_run() -> None:
    scene = Scene()
    scene.store.saves.clear()
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            scene.offer(1, 2)
            await turns()
        await turns()
    assert scene.store.begun == [(1, "success"), (2, "success")]
    assert (scene.store.saved, scene.places.active, logs) == ([], 0, [])


@moved
async def test_what_has_fired_of_a_run_and_cannot_be_read_keeps_no_other_from_hearing() -> None:
    scene = Scene()
    scene.store.saves.clear()
    scene.store.unread = {1}
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            _, second, third = scene.offer(1, 2, 3)
            await turns()
            scene.places.wake([uid(1), uid(2), uid(3)])
            await turns()
            assert (second.wakes, third.wakes) == (4, 4)
            scene.places.wake([uid(2)])
            await turns()
    assert [line["event"] for line in logs] == ["notice.lost"]


@moved
async def test_walks_that_wait_for_the_store_say_so_once_for_all() -> None:
    scene = Scene()
    scene.programs_away.times = 300
    with capture_logs() as logs:
        async with Background(scene.pool.run()):
            scene.offer(1, 2, 3)
            await asyncio.sleep(RETRY_SECONDS * 65)
    assert [line["event"] for line in logs] == ["walk.delayed"] * 3
