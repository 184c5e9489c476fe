"""Group commits: many checkpoints in one commit; each walk hears of its own, and only of that."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from structlog.testing import capture_logs

from lockstep.checkpoint import Committer
from lockstep.checkpoint.committer import ALONE_SECONDS, BATCH, BATCH_BYTES, COMMITTERS
from lockstep.model.errors import DataRefused, StoreTooSlow
from lockstep.model.runs import Checkpoint, OwnerLost
from unit.fakes import Away, Heard
from unit.moved import Background, moved, turns
from unit.values import checkpoint, uid


class Writer:
    """Stores checkpoints: the number of a run says what becomes of it."""

    def __init__(self) -> None:
        self.away = Away()
        self.lost: set[UUID] = set()
        self.refused: dict[UUID, Exception] = {}
        self.batches: list[list[UUID]] = []
        self.slow_from = 0  # bytes of documents in one statement, above which it is ended
        self.writes = asyncio.Event()
        self.writes.set()
        self.at_once = self.most_at_once = 0

    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        """See `checkpoint.committer.Writer`."""
        ids = [one.run.id for one in checkpoints]
        self.batches.append(ids)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await self.writes.wait()
        self.at_once -= 1
        self.away.check()
        size = sum(len(one.document or b"") for one in checkpoints)
        if self.slow_from and size >= self.slow_from:
            raise StoreTooSlow("canceling statement due to statement timeout")
        for one in ids:
            if one in self.refused:
                raise self.refused[one]
        return {one: one.int * 10 for one in ids if one not in self.lost}


class Scene:
    """A committer, and who is told of what it has committed."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.heard = Heard()
        self.committer = Committer(self.writer, self.heard)

    @property
    def told(self) -> list[UUID]:
        """The runs of the checkpoints that listeners have heard of."""
        return [one.run.id for one in self.heard.checkpoints]

    def store(self, *numbers: int) -> list[asyncio.Task[int | None]]:
        """Have walks store their checkpoints."""
        return [asyncio.create_task(self.committer.store(checkpoint(n))) for n in numbers]

    def store_large(self, size: int, *numbers: int) -> list[asyncio.Task[int | None]]:
        """Have walks store checkpoints whose documents have so many bytes."""
        large = [msgspec.structs.replace(checkpoint(n), document=b"x" * size) for n in numbers]
        return [asyncio.create_task(self.committer.store(one)) for one in large]

    async def ends(self, *numbers: int) -> list[int | None | BaseException]:
        """Store checkpoints, and give what each walk hears."""
        async with Background(self.committer.run()):
            return await asyncio.gather(*self.store(*numbers), return_exceptions=True)


@moved
async def test_a_lone_checkpoint_does_not_wait_for_company() -> None:
    scene = Scene()
    async with Background(scene.committer.run()):
        await turns()
        (walk,) = scene.store(1)
        await turns()
        assert walk.done()
    assert scene.writer.batches == [[uid(1)]]


@moved
async def test_what_comes_while_committers_are_busy_goes_together_in_the_order_of_runs() -> None:
    """In one order: statements that update the same rows must not lock one another out."""
    scene = Scene()
    scene.writer.writes.clear()
    async with Background(scene.committer.run()):
        walks = scene.store(101)
        await turns()
        walks += scene.store(102)
        await turns()
        walks += scene.store(9, 7, 8)
        await turns()
        scene.writer.writes.set()
        assert await asyncio.gather(*walks) == [1010, 1020, 90, 70, 80]
    assert scene.writer.batches == [[uid(101)], [uid(102)], [uid(7), uid(8), uid(9)]]
    assert scene.writer.most_at_once == COMMITTERS


@moved
async def test_a_commit_is_bounded() -> None:
    scene = Scene()
    await scene.ends(*range(1, BATCH + 3))
    assert [len(batch) for batch in scene.writer.batches] == [BATCH, 2]
    assert scene.committer.committed == BATCH + 2


@moved
async def test_a_statement_is_bounded_by_its_bytes() -> None:
    scene = Scene()
    async with Background(scene.committer.run()):
        walks = scene.store_large(930_000, *range(1, 21))
        assert len(await asyncio.gather(*walks)) == 20
    sizes = [len(batch) for batch in scene.writer.batches]
    assert max(sizes) * 930_000 <= BATCH_BYTES
    assert max(sizes) > 1, "what fits goes together"


@moved
async def test_what_is_larger_than_a_statement_may_be_goes_alone() -> None:
    scene = Scene()
    async with Background(scene.committer.run()):
        walks = scene.store_large(BATCH_BYTES + 1, 1, 2, 3)
        assert await asyncio.gather(*walks) == [10, 20, 30]
    assert [len(batch) for batch in scene.writer.batches] == [1, 1, 1]


@moved
async def test_a_statement_that_takes_too_long_is_split_until_it_is_in_time() -> None:
    scene = Scene()
    scene.writer.slow_from = 3000
    async with Background(scene.committer.run()):
        walks = scene.store_large(1000, *range(1, 9))
        with capture_logs() as lines:
            await asyncio.gather(*walks)
    assert {one for batch in scene.writer.batches for one in batch} == {uid(n) for n in range(1, 9)}
    assert len(scene.told) == 8
    assert "checkpoint.split" in {line["event"] for line in lines}


@moved
async def test_one_that_takes_too_long_alone_comes_again_later_and_holds_up_nobody() -> None:
    scene = Scene()
    scene.writer.slow_from = 3000
    async with Background(scene.committer.run()):
        (slow,) = scene.store_large(4000, 1)
        await turns()
        assert scene.writer.batches == [[uid(1)]]
        assert await asyncio.gather(*scene.store(*range(2, 6))) == [20, 30, 40, 50]
        await asyncio.sleep(ALONE_SECONDS[0] + 0.1)
        assert scene.writer.batches.count([uid(1)]) == 2, "not again and again"
        scene.writer.slow_from = 0
        assert await slow == 10
    assert scene.told.count(uid(1)) == 1


@moved
async def test_a_walk_hears_how_often_its_run_was_woken() -> None:
    assert await Scene().ends(1, 2) == [10, 20]


@moved
async def test_only_the_run_that_was_taken_from_its_walk_is_lost() -> None:
    scene = Scene()
    scene.writer.lost = {uid(2)}
    first, second, third = await scene.ends(1, 2, 3)
    assert (first, third) == (10, 30)
    assert isinstance(second, OwnerLost)
    assert (second.run_id, second.epoch) == (uid(2), 1)
    assert scene.told == [uid(1), uid(3)]  # of what was not written nobody is told


@moved
async def test_who_listens_is_told_before_the_walk_goes_on() -> None:
    order: list[str] = []
    committer = Committer(Writer(), Heard(order))

    async def walk() -> None:
        await committer.store(checkpoint())
        order.append("walk")

    async with Background(committer.run()):
        await walk()
    assert order == ["checkpointed", "walk"]


@moved
async def test_where_a_commit_is_refused_its_checkpoints_are_tried_one_by_one() -> None:
    scene = Scene()
    scene.writer.refused = {uid(2): DataRefused("a zero byte")}
    with capture_logs() as logs:
        first, second, third = await scene.ends(1, 2, 3)
    assert (first, third) == (10, 30)
    assert isinstance(second, DataRefused)
    assert scene.writer.batches == [[uid(1), uid(2), uid(3)], [uid(1)], [uid(2)], [uid(3)]]
    assert scene.told == [uid(1), uid(3)]
    assert scene.committer.committed == 2
    assert logs == []  # the run says it, as a failure of its step


@moved
async def test_a_fault_of_the_engine_reaches_its_own_walk_and_is_logged() -> None:
    scene = Scene()
    scene.writer.refused = {uid(1): LookupError("a fault")}
    with capture_logs() as logs:
        first, second = await scene.ends(1, 2)
    assert isinstance(first, LookupError)
    assert second == 20
    assert [(line["event"], line["run_id"]) for line in logs] == [
        ("checkpoint.failed", str(uid(1)))
    ]


@moved
async def test_while_the_store_is_away_a_walk_waits_and_loses_nothing() -> None:
    scene = Scene()
    scene.writer.away.times = 20
    with capture_logs() as logs:
        assert await scene.ends(1, 2) == [10, 20]
    assert scene.writer.batches == [[uid(1), uid(2)]] * 21
    assert [line["event"] for line in logs] == ["checkpoint.delayed"]  # once, not at each try


@moved
async def test_a_walk_that_was_cancelled_does_not_disturb_the_others() -> None:
    scene = Scene()
    scene.writer.writes.clear()
    async with Background(scene.committer.run()):
        gone, stays = scene.store(1, 2)
        await turns()
        gone.cancel()
        await turns()
        scene.writer.writes.set()
        assert await stays == 20
        assert gone.cancelled()
    assert scene.told == [uid(1), uid(2)]  # it was committed all the same


@moved
async def test_who_waits_when_the_loop_is_cut_off_in_a_commit_is_answered_by_the_next() -> None:
    scene = Scene()
    scene.writer.writes.clear()
    async with Background(scene.committer.run()):
        walks = scene.store(1, 2, 3)
        await turns()
    assert not any(walk.done() for walk in walks)
    scene.writer.writes.set()
    async with Background(scene.committer.run()):
        assert await asyncio.gather(*walks) == [10, 20, 30]


@moved
async def test_who_has_given_up_waiting_is_not_committed_for_again() -> None:
    scene = Scene()
    scene.writer.writes.clear()
    async with Background(scene.committer.run()):
        walks = scene.store(1, 2)
        await turns()
        walks[0].cancel()
        await turns()
    scene.writer.writes.set()
    async with Background(scene.committer.run()):
        assert await walks[1] == 20
    assert [one.int for one in scene.writer.batches[-1]] == [2]
