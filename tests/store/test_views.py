"""Lists of runs: what is read is what is shown, however many there are."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lockstep import store
from lockstep.control import RunEndpoints
from lockstep.control.errors import InvalidRequest
from lockstep.store.queries import QUERIES
from lockstep.testbed.clock import CaseClock
from lockstep_schemas.api import RunsList
from store.test_runs import read
from store_fixture import StoreFixture, store_fixture

RUNS = """
    insert into runs (id, automation_id, automation_name, version, trigger_id,
        trigger_event_id, trigger_payload, trigger_time, actor, context_key, status, owner,
        epoch, rank_time, rank_sequence, finished_at)
    select gen_random_uuid(), case when n % 1000 = 7 then 'rare' else 'busy' end, 'n', 1, 't',
           'e', '{}', now(), '{}', 'k' || n % 97,
           case when n % 5000 = 0 then 'waiting' else 'success' end, null, 1, now(), n,
           case when n % 5000 = 0 then null else now() end
      from generate_series(1, 30000) as n
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own, with many runs."""
    async with store_fixture(dsn) as opened:
        async with opened.database.pool.acquire() as connection:
            await connection.execute("set statement_timeout = 0")  # the machine may be busy
            await connection.execute(RUNS)
            await connection.execute("vacuum analyze runs")
        yield opened


async def test_the_total_of_very_many_runs_is_an_estimate_and_says_so(
    laboratory: StoreFixture,
) -> None:
    views = store.RunViews(laboratory.database, exact_cost=200)
    every = await views.page(RunsList(limit=50), None)
    assert (len(every.runs), every.is_exact) == (50, False)
    assert 15_000 < every.total < 60_000
    rare = await views.page(RunsList(limit=50, automation_id="rare"), None)
    assert (len(rare.runs), rare.total, rare.is_exact) == (30, 30, True)


async def test_where_to_count_is_quick_the_total_is_counted(laboratory: StoreFixture) -> None:
    found = await store.RunViews(laboratory.database).page(RunsList(limit=50), None)
    assert (found.total, found.is_exact) == (30_000, True)


async def test_statements_that_follow_are_planned_as_ever(laboratory: StoreFixture) -> None:
    await store.RunViews(laboratory.database).page(RunsList(limit=50), None)
    async with laboratory.database.connection() as connection:
        assert await connection.fetchval("show plan_cache_mode") == "force_generic_plan"


@pytest.mark.parametrize(
    ("automation_id", "status", "most"),
    [(None, None, 100), ("rare", None, 100), ("busy", None, 150), (None, "waiting", 100)],
)
async def test_a_page_reads_little_more_than_it_shows(
    laboratory: StoreFixture, automation_id: str | None, status: str | None, most: int
) -> None:
    arguments: list[Any] = [automation_id, status, True, None, None, None, 50, 0]
    async with laboratory.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(QUERIES["runs/plan_by_values"].text)
        explain = f"explain (analyze, format json) {QUERIES['runs/list'].text}"
        plan = json.loads(await connection.fetchval(explain, *arguments))[0]["Plan"]
    assert read(plan) <= most, json.dumps(plan, indent=1)


async def test_an_offset_that_reads_very_much_is_refused_with_the_way_to_go_on(
    laboratory: StoreFixture,
) -> None:
    api: Any = RunEndpoints
    runs = api(store.RunViews(laboratory.database), None, CaseClock(), None)
    page = await runs.list(RunsList(limit=10, offset=10_000), None)
    assert len(page.items) == 10
    with pytest.raises(InvalidRequest, match="`next_cursor`") as refused:
        await runs.list(RunsList(limit=10, offset=10_001), None)
    assert refused.value.issues[0].path == ["offset"]
    assert (await runs.list(RunsList(limit=10, cursor=page.next_cursor), None)).items
