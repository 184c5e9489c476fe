"""Lists of runs: what is read is what is shown, however many there are."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

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
           case when n % 1000 = 8 then 'rare.event' else 'e' end, '{}', now(), '{}', 'k' || n % 97,
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


PARAMETERS: dict[str, Any] = {
    **dict.fromkeys(QUERIES["runs/list"].parameters),
    "any_context_key": True,
    "limit": 50,
    "offset": 0,
}


async def rows_read(laboratory: StoreFixture, name: str, **given: object) -> float:
    """Execute a list, and count the rows that it looks at."""
    wanted = {one: {**PARAMETERS, **given}[one] for one in QUERIES[name].parameters}
    async with laboratory.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(QUERIES["runs/plan_by_values"].text)
        explain = f"explain (analyze, format json) {QUERIES[name].text}"
        found = await connection.fetchval(explain, *QUERIES[name].bind(wanted))
    return read(json.loads(found)[0]["Plan"])


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({}, 100),
        ({"automation_id": "rare"}, 100),
        ({"automation_id": "busy"}, 150),
        ({"statuses": ["waiting"]}, 100),
        ({"statuses": ["pending", "running", "waiting"]}, 100),
        ({"event": "rare.event"}, 100),
        ({"event": "e"}, 150),
    ],
)
async def test_a_page_reads_little_more_than_it_shows(
    laboratory: StoreFixture, given: dict[str, object], most: int
) -> None:
    assert await rows_read(laboratory, "runs/list", **given) <= most


async def test_a_run_is_found_by_the_beginning_of_its_id(laboratory: StoreFixture) -> None:
    views = store.RunViews(laboratory.database)
    one = (await views.page(RunsList(limit=1, status="waiting"), None)).runs[0]
    for begin in (one.id, one.id[:18], one.id[:18].upper(), one.id.replace("-", "")[:20]):
        found = await views.page(RunsList(id=begin), None)
        assert ([run.id for run in found.runs], found.total) == ([one.id], 1)
    assert not (await views.page(RunsList(id=one.id[:18], status="success"), None)).runs
    assert not (await views.page(RunsList(id="f" * 36), None)).runs
    bounds = {"id_from": UUID(one.id), "id_to": UUID(one.id)}
    assert await rows_read(laboratory, "runs/list", **bounds) <= 3


async def test_what_no_index_finds_is_looked_for_in_so_many_runs_and_then_on_the_next_page(
    laboratory: StoreFixture,
) -> None:
    api: Any = RunEndpoints
    views = store.RunViews(laboratory.database, looked_through=2_000)
    runs = api(views, None, CaseClock(), None)
    seen, cursor, pages = [], None, 0
    while True:
        page = await runs.list(RunsList(event="rare.*", limit=10, cursor=cursor), None)
        seen += page.items
        cursor, pages = page.next_cursor, pages + 1
        if cursor is None:
            break
    assert len({run.id for run in seen}) == len(seen) == 30
    assert 15 <= pages <= 17
    newest = (await views.page(RunsList(limit=1), None)).positions[0]
    floor = newest - 2_000 + 1
    wanted = {"text_like": "%nowhere%", "text_bytes": b"nowhere", "floor": floor}
    assert await rows_read(laboratory, "runs/list", **wanted) <= 2_000
    assert await rows_read(laboratory, "runs/floor", looked_through=2_000) <= 2_000


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
