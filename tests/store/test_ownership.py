"""Whose a run is after a commit in doubt was tried again, and when a worker has given it up."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from lockstep.model.outbox import EventRow
from lockstep.model.runs import Checkpoint, OwnerLost, RunState
from lockstep.model.waits import WaitRow
from lockstep.store import RunStore, WaitStore
from store_fixture import Alone, StoreFixture, store_fixture
from unit.values import uid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATE = "select status, owner, epoch, wakes from runs where id = $1"


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


async def launched(laboratory: StoreFixture) -> RunState:
    """Insert a run that belongs to a worker."""
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": []})
    return await laboratory.launch(program, {})


def sleeping(run: RunState, status: str = "waiting") -> Checkpoint:
    """What a walk stores that goes to sleep for a moment, or gives up."""
    wait = WaitRow(
        id=uid(7), kind="delay", path="actions[0]", waiting_for="w", armed_at=NOW, due_at=NOW
    )
    return Checkpoint(
        run=run, at=NOW, document=b"{}", reason=None, error=None,
        status=status,  # type: ignore[arg-type] # of RunStatus, as the tests say
        steps=[], events=[], artifacts=[], waits=[wait],
    )  # fmt: skip


async def state(laboratory: StoreFixture, run: RunState) -> tuple[object, ...]:
    """Status, owner, epoch and wakes of a run."""
    (row,) = await laboratory.rows(STATE, run.id)
    return tuple(row)


async def test_a_sleep_that_was_in_doubt_does_not_keep_a_run_awake_that_was_woken_meanwhile(
    laboratory: StoreFixture,
) -> None:
    run, worker = await launched(laboratory), Alone(laboratory.worker())
    assert await worker.store(sleeping(run)) == 0
    fired = await WaitStore(laboratory.database, uid(1)).fire_due([uid(7)], NOW)
    assert len(fired) == 1
    with pytest.raises(OwnerLost):  # the answer to the first one was lost: it is tried again
        await worker.store(sleeping(run))
    assert await state(laboratory, run) == ("pending", None, run.epoch, 1)


@pytest.mark.parametrize("status", ["waiting", "pending"])
async def test_a_run_that_was_let_go_in_doubt_stays_let_go_when_that_is_tried_again(
    laboratory: StoreFixture, status: str
) -> None:
    run, worker = await launched(laboratory), Alone(laboratory.worker())
    await worker.store(sleeping(run, status))
    before = await state(laboratory, run)
    with pytest.raises(OwnerLost):
        await worker.store(sleeping(run, status))
    assert await state(laboratory, run) == before == (status, None, run.epoch, 0)


async def test_a_run_that_was_claimed_after_a_sleep_in_doubt_is_left_to_the_claim(
    laboratory: StoreFixture,
) -> None:
    run, worker = await launched(laboratory), Alone(laboratory.worker())
    await worker.store(sleeping(run))
    await WaitStore(laboratory.database, uid(1)).fire_due([uid(7)], NOW)
    claimed = await laboratory.claim(run.id)
    assert claimed is not None
    with pytest.raises(OwnerLost):
        await worker.store(sleeping(run))
    status, owner, epoch, _ = await state(laboratory, run)
    assert (status, owner is not None, epoch) == ("running", True, claimed.epoch)


async def owned_by(laboratory: StoreFixture) -> tuple[RunStore, RunState]:
    """A worker with a run."""
    run, worker = await launched(laboratory), laboratory.worker()
    return worker, await laboratory.adopt(worker, run.id)


async def test_a_worker_gives_up_what_it_owns_at_the_epoch_that_was_seen_and_writes_no_more(
    laboratory: StoreFixture,
) -> None:
    worker, run = await owned_by(laboratory)
    assert await worker.owned() == {run.id: run.epoch}
    assert await worker.let_go([(run.id, run.epoch - 1)]) == 0
    assert await laboratory.worker().let_go([(run.id, run.epoch)]) == 0
    assert await worker.let_go([(run.id, run.epoch), (uid(9), 1)]) == 1
    assert await state(laboratory, run) == ("pending", None, run.epoch + 1, 0)
    with pytest.raises(OwnerLost):
        await Alone(worker).store(sleeping(run, "running"))
    claimed = await laboratory.claim(run.id)
    assert claimed is not None
    assert (claimed.epoch, claimed.has_frames) == (run.epoch + 2, True)


async def test_a_lost_state_stays_lost_for_whoever_claims_the_run_after_its_row_was_made_again(
    laboratory: StoreFixture,
) -> None:
    worker, run = await owned_by(laboratory)
    await laboratory.rows(
        "insert into run_steps (run_id, seq, action_path, action_id, action_kind, "
        "status, attempts, started_at, finished_at) values "
        "($1, 1, 'actions[0]', 'a', 'action', 'success', 1, now(), now())",
        run.id,
    )
    await laboratory.rows("delete from run_frames")
    seq = await worker.revive(run)
    assert seq >= 2  # no event that was told before has it
    assert await worker.let_go([(run.id, run.epoch)]) == 1
    claimed = await laboratory.claim(run.id)
    assert claimed is not None
    assert (claimed.event_seq, claimed.has_frames) == (seq, False)


async def test_a_run_that_ends_before_its_lost_state_has_a_row_again_gets_none(
    laboratory: StoreFixture,
) -> None:
    worker, run = await owned_by(laboratory)
    await laboratory.rows("delete from run_frames")
    await laboratory.rows(
        "update runs set status = 'cancelled', owner = null, epoch = epoch + 1, "
        "finished_at = now() where id = $1",
        run.id,
    )
    assert await worker.revive(run) == 0
    assert await laboratory.rows("select from run_frames") == []


async def test_the_failure_of_a_run_whose_state_is_lost_is_told_behind_what_is_not_published_yet(
    laboratory: StoreFixture,
) -> None:
    worker, run = await owned_by(laboratory)
    await laboratory.rows("delete from run_frames")
    await laboratory.rows(
        "insert into outbox (topic, seq, subject, message_id, body) "
        "select $1, seq, 's', seq::text, 'before' from generate_series(1, 70) as seq",
        str(run.id),
    )
    run.event_seq = await worker.revive(run) + 1
    failed = sleeping(run, "failed")
    failed.events = [
        EventRow(str(run.id), run.event_seq, "s", f"{run.id}:{run.event_seq}", b"failed", NOW)
    ]
    await Alone(worker).store(failed)
    told = await laboratory.rows("select seq, body from outbox order by seq desc limit 1")
    assert [tuple(row) for row in told] == [(71, b"failed")]


async def test_what_somebody_has_locked_is_not_given_up(laboratory: StoreFixture) -> None:
    worker, run = await owned_by(laboratory)
    pool = laboratory.database.pool
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select from runs where id = $1 for update", run.id)
        assert await worker.let_go([(run.id, run.epoch)]) == 0
