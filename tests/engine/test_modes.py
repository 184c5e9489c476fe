"""Modes hold at every instant, over three replicas, judged by the tables at each commit."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_replicas import settled
from lockstep.embedded import Servers
from patience import patience

Json = dict[str, Any]
ROUNDS: Final = int(os.environ.get("LOCKSTEP_RACE_ROUNDS", "3"))
EVENTS: Final = 200
MAX_RUNS: Final = 5

# Fired at the commit of every transaction that lets a run become active, while its gate is locked:
# what it sees is what is true at that instant.
JUDGE: Final = """
create table rules (automation_id text primary key, mode text, by_key boolean, max_runs integer);
create table violations (what text);
create function judge() returns trigger language plpgsql as $$
declare
    rule rules%rowtype;
    at_work integer;
    all_active integer;
begin
    select * into rule from rules where automation_id = new.automation_id;
    if rule is null or new.status not in ('pending', 'running', 'waiting') then
        return null;
    end if;
    select count(*) filter (where not queued), count(*) into at_work, all_active
      from runs r
     where r.automation_id = new.automation_id
       and (not rule.by_key or r.context_key is not distinct from new.context_key)
       and r.status in ('pending', 'running', 'waiting');
    if rule.mode in ('single', 'queued', 'restart') and at_work > 1 then
        insert into violations values (rule.mode || ': ' || at_work || ' at work');
    end if;
    if rule.mode in ('parallel', 'queued') and all_active > rule.max_runs then
        insert into violations values (rule.mode || ': ' || all_active || ' active');
    end if;
    if tg_op = 'UPDATE' and old.queued and not new.queued and exists (
        select from runs r
         where r.gate = new.gate and r.queued
           and (r.rank_time, r.rank_sequence) < (new.rank_time, new.rank_sequence)
    ) then
        insert into violations values ('a queued run was overtaken');
    end if;
    return null;
end $$;
create constraint trigger judge after insert or update of queued, status on runs
    deferrable initially deferred for each row execute function judge();
"""


@pytest_asyncio.fixture
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Three engines, and a judge in the database."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(JUDGE)
    await connection.close()
    settings = settings_of(servers.nats_url, dsn, f"m{uuid4().hex[:10]}", batch_size=16)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(engine_fixture(settings)) for _ in range(3)]


async def ruled(first: EngineFixture, dsn: str, mode: str, scope: str) -> Stored:
    """Store an automation that the judge knows."""
    slow = {"action": "test.slow", "config": {"seconds": 0.003}}
    automation = await first.automation(
        [slow, record("{{ trigger.payload.n }}")],
        mode=mode, concurrency_scope=scope, max_runs=MAX_RUNS,
    )  # fmt: skip
    by_key = scope == "context_key"
    await rows(
        dsn, "insert into rules values ($1, $2, $3, $4)", automation.id, mode, by_key, MAX_RUNS
    )
    return automation


@pytest.mark.parametrize("scope", ["automation", "context_key"])
@pytest.mark.parametrize("mode", ["single", "parallel", "queued", "restart"])
async def test_a_mode_holds_however_simultaneous_the_events(
    replicas: list[EngineFixture], dsn: str, mode: str, scope: str
) -> None:
    automation = await ruled(replicas[0], dsn, mode, scope)
    for number in range(1, ROUNDS + 1):
        await asyncio.gather(
            *(
                replicas[n % 3].publish(automation.event, {"n": n}, key=f"k{n % 4}")
                for n in range(EVENTS)
            )
        )
        await settled(dsn, EVENTS * number)
    assert await rows(dsn, "select * from violations") == []
    found = await rows(dsn, "select * from runs order by rank_time, rank_sequence")
    assert len(found) == EVENTS * ROUNDS
    assert {row["status"] for row in found} <= {"success", "skipped", "cancelled"}
    if mode == "restart":
        _judge_restarts([dict(row) for row in found], by_key=scope == "context_key")
    else:
        assert "cancelled" not in {row["status"] for row in found}
    assert [row for row in found if row["status"] == "success"]


def _judge_restarts(found: list[Json], *, by_key: bool) -> None:
    """An older event never replaces the run of a newer one, and the newest has its run."""
    gates: dict[Any, list[Json]] = {}
    for row in found:
        gates.setdefault(row["context_key"] if by_key else None, []).append(row)
    for some in gates.values():
        assert some[-1]["status"] == "success"
        reasons = {row["reason"] for row in some if row["status"] == "cancelled"}
        assert reasons <= {"superseded", "a newer event restarted the automation"}
        newest = max((row["rank_time"], row["rank_sequence"]) for row in some)
        assert (some[-1]["rank_time"], some[-1]["rank_sequence"]) == newest


async def test_one_replica_starts_its_queue_in_the_order_of_the_stream(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"q{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        automation = await only.automation(
            [record("{{ trigger.payload.n }}")], mode="queued", max_runs=1000
        )
        await asyncio.gather(*(only.publish(automation.event, {"n": n}) for n in range(300)))
        await settled(dsn, 300)
        started = await rows(dsn, "select id from runs order by started_at, position")
        ranked = await rows(dsn, "select id from runs order by rank_time, rank_sequence")
        assert started == ranked
        assert len(only.recorder.records) == 300


@pytest.mark.asyncio(loop_scope="session")
async def test_a_failed_or_cancelled_run_does_not_block_the_queue(shared: EngineFixture) -> None:
    failing = {
        "choose": [
            {
                "when": "trigger.payload.n == 0",
                "sequence": [{"action": "test.fail", "config": {"reason": "x"}}],
            },
            {"when": "trigger.payload.n == 1", "sequence": [{"delay": {"seconds": 3600}}]},
        ]
    }
    automation = await shared.automation([failing, record("done")], mode="queued", max_runs=9)
    for n in range(3):
        await shared.publish(automation.event, {"n": n})
    waiting = await shared.heard(automation.id, "waiting")
    page = await shared.call("runs.list", automation_id=automation.id)
    assert sorted(run["status"] for run in page["items"]) == ["failed", "pending", "waiting"]
    await shared.call("runs.cancel", id=waiting.data.run_id)
    ids = await shared.ended(automation.id, 3)
    seen = [await automation.seen(run_id) for run_id in ids]
    assert sorted(one.status for one in seen) == ["cancelled", "failed", "success"]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_queue_goes_on_after_the_automation_changed_its_mode(shared: EngineFixture) -> None:
    automation = await shared.automation([{"delay": {"seconds": 3600}}], mode="parallel")
    await shared.publish(automation.event, {})
    first = await shared.heard(automation.id, "waiting")
    stored = await shared.call("automations.get", id=automation.id)
    definition = {**stored["definition"], "mode": "queued", "actions": [record("queued")]}
    await shared.call("automations.update", id=automation.id, definition=definition)
    await shared.publish(automation.event, {})
    async with patience():
        while (await shared.call("runs.list", automation_id=automation.id))["total"] < 2:
            await asyncio.sleep(0.02)
    await shared.call("runs.cancel", id=first.data.run_id)
    ids = await shared.ended(automation.id, 2)
    assert (await automation.seen(ids[-1])).status == "success"


async def test_a_flood_for_one_automation_does_not_hold_up_another(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first = replicas[0]
    flood = await first.automation([{"action": "test.slow", "config": {"seconds": 0.2}}])
    other = await first.automation([record("me too")])
    await asyncio.gather(*(r.publish(flood.event, {}) for r in replicas * 700))
    await first.publish(other.event, {})
    await first.ended(other.id, 1)
    later = """
        select count(*) from runs as one, runs as other
         where one.automation_id = $1 and other.automation_id = $2
           and (one.finished_at is null or one.finished_at > other.finished_at)
    """
    (count,) = await rows(dsn, later, flood.id, other.id)
    assert count[0] > 0, "the other had to wait for the end of the flood"
