"""What `lockstep why` reads is bounded, however many automations and runs there are."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from lockstep.store.queries import QUERIES
from store.test_runs import read
from store_fixture import StoreFixture, store_fixture

# Of each automation one version; `old` is older than all others that wait.
AUTOMATIONS = """
    insert into automations (id, name, status, version, created_at, updated_at)
    select name, name, 'enabled', 1, now(), now()
      from (select 'plain-' || n from generate_series(1, 20000) as n
            union all select 'waits-' || n from generate_series(1, 21000) as n
            union all values ('busy'), ('old')) as made (name)
"""
VERSIONS = """
    insert into automation_versions (automation_id, version, definition, created_at)
    select id, 1,
           case when id like 'plain-%' then '{"event":"e.mine"}'
                when id in ('busy', 'old') then '{"wait_for_trigger":{"event":"e.mine"}}'
                else '{"wait_for_trigger":{"event":"e.other"}}' end,
           case id when 'old' then now() - interval '1 year' else now() end
      from automations
"""
RUNS = """
    insert into runs (id, automation_id, automation_name, version, trigger_id, trigger_event_id,
        trigger_payload, trigger_time, actor, context_key, status, owner, epoch, rank_time,
        rank_sequence, started_at, finished_at)
    select gen_random_uuid(), case when n % 3 = 0 then 'busy' else 'plain-' || n % 50 + 1 end,
           'n', 1, 't', 'e', '{}', now(), '{}', 'k' || n % 97,
           case when n % 100 = 0 then 'waiting' else 'success' end, null, 1, now(), n,
           now(), case when n % 100 = 0 then null else now() end
      from generate_series(1, 30000) as n
"""


@pytest_asyncio.fixture
async def many(dsn: str) -> AsyncIterator[StoreFixture]:
    """Many automations, of which half wait, and one with many runs."""
    async with store_fixture(dsn) as opened:
        async with opened.database.pool.acquire() as connection:
            await connection.execute("set statement_timeout = 0")  # the machine may be busy
            for statement in (AUTOMATIONS, VERSIONS, RUNS):
                await connection.execute(statement)
            await connection.execute("vacuum analyze automation_versions, runs")
        yield opened


def tables(plan: Any, name: str) -> list[Any]:
    """The parts of a plan that look at a table."""
    inner = [one for part in plan.get("Plans", []) for one in tables(part, name)]
    return [plan, *inner] if plan.get("Relation Name") == name else inner


async def planned(many: StoreFixture, name: str, **given: object) -> Any:
    """Execute a statement as the store does, and give what was done."""
    async with many.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("set statement_timeout = 0")
        await connection.execute("set plan_cache_mode = force_generic_plan")
        await connection.execute(QUERIES["why/plan_in_order"].text)
        sql = f"explain (analyze, format json) {QUERIES[name].text}"
        return json.loads(await connection.fetchval(sql, *QUERIES[name].bind(given)))[0]["Plan"]


def looked(plan: Any, name: str) -> float:
    """Count the rows of a table that were looked at."""
    return sum(map(read, tables(plan, name)))


@pytest.mark.parametrize(("automation", "versions"), [(None, 20_000), ("busy", 10), ("old", 10)])
async def test_waits_are_looked_for_in_a_bounded_part_of_automations_and_runs(
    many: StoreFixture, automation: str | None, versions: int
) -> None:
    now = datetime.now(UTC)
    plan = await planned(
        many,
        "why/waited",
        quoted='"e.mine"',
        automation_id=automation,
        context_key="k1",
        since=now - timedelta(hours=1),
        until=now + timedelta(hours=1),
        limit=50,
    )
    assert looked(plan, "automation_versions") <= versions + 50, json.dumps(plan, indent=1)
    assert looked(plan, "runs") <= 2000 + 100, json.dumps(plan, indent=1)


@pytest.mark.parametrize(("automation", "most"), [("busy", 2000), ("plain-3", 601), ("old", 1)])
async def test_refusals_are_looked_for_among_the_newest_runs(
    many: StoreFixture, automation: str, most: int
) -> None:
    plan = await planned(many, "why/refusals", automation_id=automation, limit=50)
    assert looked(plan, "runs") <= most, json.dumps(plan, indent=1)
