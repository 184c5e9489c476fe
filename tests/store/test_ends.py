"""Runs that are ended from outside leave nothing behind, whatever is committed meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from lockstep.model.ids import uuid7
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Checkpoint, Ended, Ending, RunState, StepRow
from lockstep.model.waits import WaitRow
from lockstep.store import AutomationStore, Batches, WaitStore
from lockstep.store.runs import checkpoint_call
from patience import until
from store_fixture import StoreFixture, store_fixture

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANCELLED = Ending(status="cancelled", reason="no more", at=NOW)
EXCEEDED = Ending(status="failed", error="run exceeded 1 s", at=NOW)
PROGRAM = {"name": "n", "triggers": [{"event": "e"}], "actions": []}

Ends = Callable[[StoreFixture, Sequence[UUID]], Awaitable[Sequence[Ended]]]


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


def armed(run: RunState, status: str = "running", seq: int = 1) -> Checkpoint:
    """A checkpoint with a step that waits, and its wait."""
    step = StepRow(
        seq=seq, path=f"actions[{seq}]", action_id=None, kind="delay", provider_action_id=None,
        status="waiting", attempts=1, error=None, result=None, items=None, started_at=NOW,
        finished_at=None,
    )  # fmt: skip
    wait = WaitRow(
        id=uuid7(), kind="delay", path=step.path, waiting_for="10 s", armed_at=NOW,
        due_at=NOW + timedelta(seconds=10),
    )  # fmt: skip
    return Checkpoint(
        run=run, at=NOW, document=b"{}", reason=None, error=None,
        status=status,  # type: ignore[arg-type] # of RunStatus, as the tests say
        steps=[step], events=[], artifacts=[], waits=[wait],
    )  # fmt: skip


def told(ended: Ended) -> EventRow:
    """The last event of a run."""
    run = ended.run
    return EventRow(
        str(run.id), run.event_seq + 1, "s", f"{run.id}:{run.event_seq + 1}", b"{}", NOW
    )


async def cancel(laboratory: StoreFixture, ids: Sequence[UUID]) -> Sequence[Ended]:
    """End runs as an operator does."""
    return await WaitStore(laboratory.database, uuid7()).end(ids, CANCELLED, told)


async def exceed(laboratory: StoreFixture, ids: Sequence[UUID]) -> Sequence[Ended]:
    """End runs as their deadline does."""
    return await WaitStore(laboratory.database, uuid7()).end(ids, EXCEEDED, told)


async def replace(laboratory: StoreFixture, ids: Sequence[UUID]) -> Sequence[Ended]:
    """End runs as newer ones do, which were launched in the same transaction."""
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        return await tx.end_runs(ids, CANCELLED)


async def delete(laboratory: StoreFixture, ids: Sequence[UUID]) -> Sequence[Ended]:
    """Delete the automation of the runs."""
    del ids
    async with AutomationStore(laboratory.database).change() as change:
        return await change.delete("lab", CANCELLED)


ENDS = pytest.mark.parametrize("end", [cancel, exceed, replace, delete])

# What is wrong with runs that have ended, whoever has ended them.
LEFT = """
    select r.id, r.status, r.queued, r.owner,
           (select count(*) from waits w where w.run_id = r.id) as waits,
           (select count(*) from run_frames f where f.run_id = r.id) as frames,
           (select count(*) from run_steps s
             where s.run_id = r.id and s.status in ('running', 'waiting')) as live
      from runs r
     where r.finished_at is not null
"""


async def check_ends(laboratory: StoreFixture, runs: int) -> None:
    """So many runs have ended, and nothing of them is left."""
    found = [tuple(row)[2:] for row in await laboratory.rows(LEFT)]
    assert found == [(False, None, 0, 0, 0)] * runs


@asynccontextmanager
async def uncommitted(laboratory: StoreFixture, done: Checkpoint) -> AsyncIterator[None]:
    """Have a checkpoint on its way while the block begins; it is committed when someone waits."""
    async with laboratory.database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetch(*checkpoint_call([done]))
        committing = asyncio.create_task(_commit_when_awaited(laboratory, transaction))
        yield
        await committing


async def _commit_when_awaited(
    laboratory: StoreFixture, transaction: asyncpg.transaction.Transaction
) -> None:
    query = """
        select from pg_locks l join pg_database d on d.oid = l.database
         where not l.granted and d.datname = current_database()
        union all
        select from pg_locks where not granted and locktype = 'transactionid'
    """
    await until(lambda: laboratory.rows(query), "somebody waits for the checkpoint")
    await transaction.commit()


@ENDS
@pytest.mark.parametrize("status", ["running", "waiting"])
async def test_what_was_committed_while_an_end_waited_for_its_lock_is_ended_too(
    laboratory: StoreFixture, end: Ends, status: str
) -> None:
    runs = [await laboratory.launch(laboratory.program(PROGRAM), {}) for _ in range(3)]
    async with uncommitted(laboratory, armed(runs[1], status)):
        ended = await end(laboratory, [run.id for run in runs])
    assert {one.run.id for one in ended} == {run.id for run in runs}
    (waited,) = [one for one in ended if one.run.id == runs[1].id]
    assert len(waited.delays) == 1, "whoever shows it elsewhere is told"
    await check_ends(laboratory, 3)
    steps = await laboratory.rows("select status, error_message from run_steps")
    assert [tuple(step) for step in steps] == [("failed", "cancelled")]


@ENDS
async def test_whatever_is_checkpointed_while_runs_are_ended_nothing_of_them_is_left(
    laboratory: StoreFixture, end: Ends
) -> None:
    program = laboratory.program(PROGRAM)
    worker = laboratory.worker()
    for round_ in range(12):
        runs = [await laboratory.launch(program, {}) for _ in range(8)]
        runs.sort(key=lambda run: run.id)

        async def walks(runs: list[RunState] = runs) -> None:
            for seq in (1, 2):
                await worker.checkpoint([armed(run, seq=seq) for run in runs])
            await worker.checkpoint([armed(run, "waiting", seq=3) for run in runs])

        async def ends(runs: list[RunState] = runs, pause: float = round_ * 0.001) -> None:
            await asyncio.sleep(pause)
            await end(laboratory, [run.id for run in runs])

        await asyncio.gather(walks(), ends())
    await check_ends(laboratory, 12 * 8)


def telling(run: RunState, last: int) -> Checkpoint:
    """A checkpoint of a run that sleeps and has told so many events."""
    done = armed(run, "waiting")
    run.event_seq = last
    done.events = [
        EventRow(str(run.id), seq, "s", f"{run.id}:{seq}", b"{}", NOW) for seq in range(1, last + 1)
    ]
    return done


@ENDS
@pytest.mark.parametrize(
    ("told_before", "heard"),
    [(1, False), (60, False), (1, True), (5, True)],  # or the outbox has them still
)
async def test_the_end_of_a_run_whose_state_is_lost_is_told_under_a_seq_of_its_own(
    laboratory: StoreFixture, end: Ends, told_before: int, *, heard: bool
) -> None:
    worker = laboratory.worker()
    lost, kept, queued = [
        await laboratory.launch(laboratory.program(PROGRAM), {}) for _ in range(3)
    ]
    await worker.checkpoint([telling(lost, told_before)])
    await worker.checkpoint([telling(kept, told_before)])
    await laboratory.rows(QUEUED, [queued.id])
    await laboratory.rows("delete from run_frames where run_id <> $1", kept.id)
    if heard:
        await laboratory.rows("delete from outbox")
    ended = await end(laboratory, [run.id for run in (lost, kept, queued)])
    seqs = {one.run.id: one.run.event_seq for one in ended}
    assert seqs.keys() == {lost.id, kept.id, queued.id}
    assert seqs[lost.id] >= told_before
    assert seqs[kept.id] == told_before
    if end in (cancel, exceed):
        for one in ended:
            seq = one.run.event_seq + 1
            query = "select from outbox where topic = $1 and seq = $2"
            assert len(await laboratory.rows(query, str(one.run.id), seq)) == 1
    await check_ends(laboratory, 3)


QUEUED = """
    update runs set status = 'pending', queued = true, gate = 'lab', owner = null,
           started_at = null
     where id = any ($1)
"""


@ENDS
async def test_a_run_that_is_ended_in_a_queue_has_never_started(
    laboratory: StoreFixture, end: Ends
) -> None:
    run = await laboratory.launch(laboratory.program(PROGRAM), {})
    await laboratory.rows(QUEUED, [run.id])
    (ended,) = await end(laboratory, [run.id])
    assert not ended.has_started
    assert ended.run.started_at == NOW, "it ended as soon as it began"
    await check_ends(laboratory, 1)
    (row,) = await laboratory.rows("select started_at, finished_at from runs")
    assert tuple(row) == (None, NOW)


async def test_a_queue_goes_on_though_its_first_run_is_about_to_be_deleted(
    laboratory: StoreFixture,
) -> None:
    """Who deletes takes no lock of the queue: whoever lets it go on must not wait for it."""
    runs = [await laboratory.launch(laboratory.program(PROGRAM), {}) for _ in range(2)]
    await laboratory.rows(QUEUED, [run.id for run in runs])
    waits = WaitStore(laboratory.database, uuid7())
    async with AutomationStore(laboratory.database).change() as change:
        await change.delete("lab", CANCELLED)
        # In a context of its own: another task, which holds no connection.
        promoting = asyncio.create_task(waits.promote(10), context=Context())
        assert await promoting == 0
    await check_ends(laboratory, 2)
