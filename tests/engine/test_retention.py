"""Retention: what ended long ago goes with all that is its own, and nothing else does."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio

from databases import on_server
from engine.engine_fixture import engine_fixture, settings_of
from lockstep import bus, store
from lockstep.embedded import Servers
from lockstep.model.errors import Unavailable
from lockstep.model.matches import Revival
from lockstep.store.queries import QUERIES, query
from lockstep.store.retention import first_id
from patience import patience
from store.test_runs import fill, scans
from store_fixture import StoreFixture, store_fixture

NOW = datetime.now(UTC)
OLD, CUT, NEW = NOW - timedelta(days=40), NOW - timedelta(days=30), NOW - timedelta(days=1)

RUN = """
    insert into runs (id, automation_id, automation_name, version, trigger_id, trigger_event_id,
        trigger_payload, trigger_time, actor, status, owner, epoch, rank_time, rank_sequence,
        parent_run_id, parent_path, created_at, started_at, finished_at)
    values ($1, 'a', 'n', 1, 't', 'e', '{}', now(), '{}', $2, null, 1, now(), 1, $3,
            case when $3::uuid is not null then 'actions[0]' end, $4, $4, $5)
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


def an_id(at: datetime) -> UUID:
    """The id of a run that was made then."""
    return UUID(int=first_id(at).int | 7 << 76 | 2 << 62 | random.getrandbits(62))


async def runs(
    laboratory: StoreFixture,
    count: int,
    ended: datetime | None,
    *,
    made: datetime = OLD,
    parent: UUID | None = None,
    status: str = "success",
) -> list[UUID]:
    """Insert runs, each with a step, what it failed at, an artifact that is open and one closed."""
    ids = [an_id(made) for _ in range(count)]
    status = status if ended else "waiting"
    async with laboratory.database.pool.acquire() as connection:
        await connection.executemany(RUN, [(one, status, parent, made, ended) for one in ids])
        await connection.execute(
            """insert into run_steps (run_id, seq, action_path, action_kind, status, attempts,
               started_at) select id, 1, 'actions[0]', 'stop', 'success', 1, now()
               from unnest($1::uuid[]) as id""",
            ids,
        )
        await connection.execute(
            "insert into failed_frames select id, '{}' from unnest($1::uuid[]) as id", ids
        )
        await connection.execute(
            """insert into artifacts (id, run_id, automation_id, action_id, artifact_type, data,
               created_at, closed_at) select gen_random_uuid(), id, 'a', 'p', 'x.y', '{}', now(),
               closed from unnest($1::uuid[]) as id, unnest($2::timestamptz[]) as closed""",
            ids,
            [OLD, None],
        )
    return ids


async def left(laboratory: StoreFixture, ids: Sequence[UUID]) -> dict[str, int]:
    """What is left of runs, by table."""
    found = {}
    for table, column in (("runs", "id"), ("run_steps", "run_id"), ("failed_frames", "run_id"),
                          ("artifacts", "run_id")):  # fmt: skip
        query = f"select count(*) from {table} where {column} = any ($1::uuid[])"
        ((found[table],),) = await laboratory.rows(query, ids)
    return found


async def test_runs_that_ended_long_ago_go_with_what_is_theirs_open_artifacts_too(
    laboratory: StoreFixture,
) -> None:
    old, new = await runs(laboratory, 30, OLD), await runs(laboratory, 20, NEW)
    asleep = await runs(laboratory, 10, None)
    assert await store.Retention(laboratory.database).forget(CUT) == 30
    assert await left(laboratory, old) == {
        "runs": 0, "run_steps": 0, "failed_frames": 0, "artifacts": 0,
    }  # fmt: skip
    for kept in (new, asleep):
        number = len(kept)
        assert await left(laboratory, kept) == {
            "runs": number, "run_steps": number, "failed_frames": number, "artifacts": 2 * number,
        }  # fmt: skip


async def test_artifacts_that_an_earlier_version_left_behind_go_in_their_time(
    laboratory: StoreFixture,
) -> None:
    (asleep,) = await runs(laboratory, 1, None)
    made = """insert into artifacts (id, run_id, automation_id, action_id, artifact_type, data,
              created_at) select id, $2, 'a', 'p', 'x.y', '{}', now() from unnest($1::uuid[]) as id
           """
    await laboratory.rows(made, [an_id(OLD) for _ in range(11_000)], uuid4())
    await laboratory.rows(made, [an_id(NEW) for _ in range(3)], uuid4())
    await laboratory.rows(made, [an_id(OLD) for _ in range(5)], asleep)
    await store.Retention(laboratory.database).forget(CUT)
    ((number,),) = await laboratory.rows("select count(*) from artifacts")
    assert number == 3 + 5 + 2


async def test_a_run_with_a_child_that_is_not_over_is_kept_and_goes_after_it(
    laboratory: StoreFixture,
) -> None:
    (parent,) = await runs(laboratory, 1, OLD)
    (child,) = await runs(laboratory, 1, None, parent=parent)
    kept = store.Retention(laboratory.database)
    assert await kept.forget(CUT) == 0
    await laboratory.rows(
        "update runs set status = 'success', finished_at = $2 where id = $1", child, OLD
    )
    assert await kept.forget(CUT) == 2


async def test_a_child_is_kept_while_its_parent_may_ask_for_it(laboratory: StoreFixture) -> None:
    """Else the step of the parent, walked again, would start it a second time."""
    (parent,) = await runs(laboratory, 1, None)
    await runs(laboratory, 1, OLD, parent=parent)
    assert await store.Retention(laboratory.database).forget(CUT) == 0


async def test_many_batches_are_forgotten_at_once_past_runs_that_sleep(
    laboratory: StoreFixture,
) -> None:
    asleep = await runs(laboratory, 200, None)
    old = await runs(laboratory, 430, OLD)
    assert await store.Retention(laboratory.database, batch=50).forget(CUT) == 430
    assert (await left(laboratory, old))["runs"] == 0
    assert (await left(laboratory, asleep))["runs"] == 200


async def test_replicas_that_forget_at_the_same_time_do_not_wait_for_each_other(
    laboratory: StoreFixture, dsn: str
) -> None:
    old = await runs(laboratory, 400, OLD)
    other = await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.fetch("select from runs where id = any ($1) for update", old[:100])
            async with patience():
                counts = await asyncio.gather(
                    *(store.Retention(laboratory.database).forget(CUT) for _ in range(3))
                )
            assert sum(counts) == 300, "what another one holds is passed over"
    finally:
        await other.close()


async def test_a_run_that_is_retried_is_not_forgotten_meanwhile(
    laboratory: StoreFixture, dsn: str
) -> None:
    (old,) = await runs(laboratory, 1, OLD, status="failed")
    other = await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.fetch(*query("runs/lock_past", id=old))
            assert await store.Retention(laboratory.database).forget(CUT) == 0
    finally:
        await other.close()
    batches = store.Batches(laboratory.database, uuid4())
    assert await batches.run_to_retry(old) is not None
    async with store_fixture(dsn) as replica, batches.transaction() as tx:
        await store.Retention(replica.database).forget(CUT)
        gone = Revival(of=old, document=b"{}", reopened=[], dropped=[])
        with pytest.raises(Unavailable, match="forgotten meanwhile"):
            await tx.copy_steps(an_id(NOW), gone)


SET_UP = """
    insert into sources (automation_id, trigger_id, owner)
    select 'a' || n, 't', gen_random_uuid() from generate_series(1, 5000) as n
"""
PARKED = """
    insert into parked_events (id, delivery, automation_id, event_id, subject, headers, body,
        parked_reason, parked_version, parked_tried)
    select gen_random_uuid(), 'S:' || n, 'a' || n, 'e', 's', '{}',
           convert_to(repeat('x', 1000), 'UTF8'), 'no', '1', '{}'
      from generate_series(1, 2000) as n
"""


async def test_forgetting_reads_no_table_as_a_whole(laboratory: StoreFixture) -> None:
    await fill(laboratory)
    await laboratory.rows("insert into failed_frames select id, '{}' from runs")
    await laboratory.rows("update artifacts set closed_at = now() where context_key = 'k1'")
    await laboratory.rows(SET_UP)
    await laboratory.rows(PARKED)
    tables = ("failed_frames", "artifacts", "waits", "runs", "outbox", "sources", "parked_events")
    for table in tables:
        await laboratory.rows(f"vacuum analyze {table}")
    wanted: dict[str, list[object]] = {
        "runs/forget": [NOW, first_id(NOW), UUID(int=0), 500],
        "artifacts/forget": [first_id(NOW), UUID(int=0), 500],
        "runs/lock_past": [uuid4()],
        "status/figures": [1000],
    }
    async with laboratory.database.pool.acquire() as connection:
        await connection.execute("set plan_cache_mode = force_generic_plan")
        for name, arguments in wanted.items():
            prepared = await connection.prepare(QUERIES[name].text)
            plan = (await prepared.explain(*arguments))[0]["Plan"]
            whole = [table for node, table in scans(plan) if node == "Seq Scan"]
            assert not whole, f"{name}: {json.dumps(plan, indent=1)}"


# As the server does where a statement takes too long, but by the rows and not by the clock.
SLOW = """
    create function too_slow() returns trigger language plpgsql as $$
    begin
        if (select count(*) from gone) > 100 then
            raise 'canceling statement due to statement timeout' using errcode = 'query_canceled';
        end if;
        return null;
    end $$;
    create trigger slow after delete on runs referencing old table as gone
       for each statement execute function too_slow();
"""


async def test_a_batch_that_takes_too_long_is_made_smaller(
    laboratory: StoreFixture, dsn: str
) -> None:
    old = await runs(laboratory, 300, OLD)
    await on_server(dsn, SLOW)
    kept, counts = store.Retention(laboratory.database), []
    while counts[-1:] != [0]:
        with suppress(Unavailable):
            await kept.forget(CUT)
        counts.append((await left(laboratory, old))["runs"])
    # 500, 250 and 125 are too many; 62 go, and the next batch is of 124 again.
    assert counts == [300, 300, 300, 238, 176, 114, 0]


@pytest.mark.parametrize(("days", "kept"), [(30.0, 0), (0, 5), (50.0, 5)])
async def test_an_engine_forgets_what_its_setting_says(
    servers: Servers, dsn: str, days: float, kept: int
) -> None:
    async with store_fixture(dsn) as laboratory:
        await runs(laboratory, 5, OLD)
        settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}", keep_runs_days=days)
        async with engine_fixture(settings) as opened, patience():
            await opened.assembly.loops.housekeeping.forget_runs()
            ((number,),) = await laboratory.rows("select count(*) from runs")
            assert number == kept


async def test_an_engine_forgets_receipts_that_its_stream_has_passed(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"p{uuid4().hex[:12]}")
    async with store_fixture(dsn) as laboratory, engine_fixture(settings) as opened, patience():
        stored = await opened.automation([])
        for _ in range(3):
            await stored.run()
        house = opened.assembly.loops.housekeeping
        await house.clean()
        ((number,),) = await laboratory.rows("select count(*) from receipts")
        assert number >= 3
        begin = await bus.Lag(opened.connection).begin()
        while begin.oldest_at is not None:  # the acknowledgement of the last one is on its way
            begin = await bus.Lag(opened.connection).begin()
        assert begin.sequence == 4
        await laboratory.rows("update receipts set received_at = now() - interval '2 days'")
        await house.clean()
        ((number,),) = await laboratory.rows("select count(*) from receipts")
        assert number == 0
