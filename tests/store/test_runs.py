"""What the store promises to walks: fencing, adoption, claims; and that its queries scale."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from lockstep.model.outbox import EventRow
from lockstep.model.runs import Checkpoint, OwnerLost, RunState, StepRow
from lockstep.ports.workers import Beat
from lockstep.store import WorkerStore
from lockstep.store.queries import QUERIES
from lockstep.store.runs import checkpoint_call
from store_fixture import Alone, StoreFixture, store_fixture
from unit.values import uid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 50_000


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


def checkpoint(run: RunState, status: str = "running", seq: int = 1) -> Checkpoint:
    """A checkpoint with one step and one event."""
    step = StepRow(
        seq=seq, path=f"actions[{seq}]", action_id=None, kind="stop", provider_action_id=None,
        status="success", attempts=1, error=None, result={"a": 1}, items=None, started_at=NOW,
        finished_at=NOW,
    )  # fmt: skip
    event = EventRow(str(run.id), seq, "s", f"{run.id}:{seq}", b"{}", datetime.now(UTC))
    return Checkpoint(
        run=run, at=NOW, document=b"{}", reason=None, error=None,
        status=status,  # type: ignore[arg-type] # of RunStatus, as the tests say
        steps=[step], events=[event], artifacts=[],
    )  # fmt: skip


async def launched(store_fixture: StoreFixture, count: int = 1) -> list[RunState]:
    """Insert runs that belong to a worker nobody has heard of."""
    program = store_fixture.program({"name": "n", "triggers": [{"event": "e"}], "actions": []})
    return [await store_fixture.launch(program, {}) for _ in range(count)]


async def test_an_old_owner_writes_nothing_after_the_run_was_adopted(
    laboratory: StoreFixture,
) -> None:
    (run,) = await launched(laboratory)
    old = Alone(laboratory.worker())
    await old.store(checkpoint(run, seq=1))
    taken = await laboratory.adopt(laboratory.worker(), run.id)
    assert taken.epoch == run.epoch + 1
    for status in ("running", "success", "pending"):
        with pytest.raises(OwnerLost):
            await old.store(checkpoint(run, status, seq=2))
    assert len(await laboratory.rows("select from run_steps where run_id = $1", run.id)) == 1
    assert len(await laboratory.rows("select from outbox")) == 1
    (row,) = await laboratory.rows("select status, epoch from runs where id = $1", run.id)
    assert tuple(row) == ("running", taken.epoch)


async def test_a_final_status_is_never_changed(laboratory: StoreFixture) -> None:
    (run,) = await launched(laboratory)
    worker = Alone(laboratory.worker())
    await worker.store(checkpoint(run, "failed"))
    with pytest.raises(OwnerLost):
        await worker.store(checkpoint(run, "success", seq=2))
    (row,) = await laboratory.rows("select status, owner from runs where id = $1", run.id)
    assert tuple(row) == ("failed", None)
    assert await laboratory.rows("select from run_frames") == []


async def test_a_checkpoint_of_many_writes_for_those_that_are_held_only(
    laboratory: StoreFixture,
) -> None:
    runs = await launched(laboratory, 3)
    worker = laboratory.worker()
    lost = msgspec.structs.replace(runs[1], epoch=7)
    some = sorted([runs[0], lost, runs[2]], key=lambda run: run.id)
    held = await worker.checkpoint([checkpoint(run) for run in some])
    assert held == {runs[0].id: None, runs[2].id: None}
    stored = await laboratory.rows("select run_id from run_steps")
    assert {row["run_id"] for row in stored} == set(held)


async def test_a_checkpoint_that_is_tried_again_changes_nothing(laboratory: StoreFixture) -> None:
    (run,) = await launched(laboratory)
    worker = laboratory.worker()
    for _ in range(2):
        assert await worker.checkpoint([checkpoint(run)]) == {run.id: None}
    assert len(await laboratory.rows("select from run_steps")) == 1
    assert len(await laboratory.rows("select from outbox")) == 1


async def test_what_is_kept_of_a_step_grows_once_for_each_checkpoint(
    laboratory: StoreFixture,
) -> None:
    (run,) = await launched(laboratory)
    worker = laboratory.worker()
    parts: list[bytes | None] = [None, b"first\n", None, b"second line\n", b"3\n", None]
    for part in parts:
        one = checkpoint(run)
        one.io = {} if part is None else {1: part, 7: b"of no row"}
        for _ in range(3):  # a commit in doubt is tried again
            assert await worker.checkpoint([one]) == {run.id: None}
    (row,) = await laboratory.rows("select io, result from run_steps")
    assert tuple(row) == (b"first\nsecond line\n3\n", b'{"a":1}')


async def test_runs_of_a_living_worker_are_not_adopted(laboratory: StoreFixture) -> None:
    (run,) = await launched(laboratory)
    (row,) = await laboratory.rows("select owner from runs where id = $1", run.id)
    owner = WorkerStore(laboratory.database, row["owner"])
    await owner.heartbeat("host", "1")
    assert await laboratory.worker().adopt(10, []) == []
    seen = await beats(laboratory)
    assert len(await laboratory.worker().adopt(10, seen)) == 1, "taken for dead, and not beaten"
    assert len(await laboratory.worker().adopt(10, [])) == 1, "its new owner was never heard of"


async def beats(laboratory: StoreFixture) -> list[Beat]:
    """The last beats of all workers."""
    return [tuple(row) for row in await laboratory.rows("select id, heartbeat_at from workers")]


async def owner(laboratory: StoreFixture) -> WorkerStore:
    """A worker that lives and owns a run."""
    (run,) = await launched(laboratory)
    (row,) = await laboratory.rows("select owner from runs where id = $1", run.id)
    worker = WorkerStore(laboratory.database, row["owner"])
    await worker.heartbeat("host", "1")
    return worker


async def test_who_has_beaten_since_it_was_taken_for_dead_loses_nothing(
    laboratory: StoreFixture,
) -> None:
    worker = await owner(laboratory)
    seen = await beats(laboratory)
    await worker.heartbeat("host", "1")
    assert await laboratory.worker().adopt(10, seen) == []
    await worker.retire()
    assert len(await laboratory.worker().adopt(10, seen)) == 1, "at once"


@pytest.mark.parametrize("step", ["-1 day", "1 day"])
async def test_no_run_changes_its_owner_though_the_clock_of_the_database_is_set(
    laboratory: StoreFixture, step: str
) -> None:
    await owner(laboratory)
    before = await beats(laboratory)
    async with laboratory.database.connection() as connection:
        await connection.execute(f"update workers set heartbeat_at = heartbeat_at + '{step}'")
    for seen in ([], before):
        assert await laboratory.worker().adopt(10, seen) == []


async def test_a_beat_shows_the_beats_of_others_and_those_that_are_long_gone_are_forgotten(
    laboratory: StoreFixture,
) -> None:
    one, other = (WorkerStore(laboratory.database, uid(number)) for number in (1, 2))
    assert (await one.heartbeat("host", "1")).others == {}
    await other.heartbeat("host", "1")
    look = await one.heartbeat("host", "1")
    assert [*look.others] == [uid(2)]
    await one.forget([*look.others.items()])
    assert len(await beats(laboratory)) == 2, "an hour has not passed"
    async with laboratory.database.connection() as connection:
        await connection.execute("update workers set heartbeat_at = heartbeat_at - '2 h'::interval")
    await one.forget([])
    assert len(await beats(laboratory)) == 2, "nobody is taken for dead"
    look = await one.heartbeat("host", "1")
    await one.forget([*look.others.items()])
    assert [worker for worker, _ in await beats(laboratory)] == [uid(1)]


async def test_a_run_that_was_given_up_is_claimed_once(laboratory: StoreFixture) -> None:
    (run,) = await launched(laboratory)
    await Alone(laboratory.worker()).store(checkpoint(run, "pending"))
    one, other = laboratory.worker(), laboratory.worker()
    claimed = [*(await one.claim_ready(5, NOW))[0], *(await other.claim_ready(5, NOW))[0]]
    assert [(c.id, c.epoch, c.document) for c in claimed] == [(run.id, run.epoch + 1, b"{}")]


async def test_a_run_is_running_if_and_only_if_it_has_an_owner(laboratory: StoreFixture) -> None:
    (run,) = await launched(laboratory)
    async with laboratory.database.pool.acquire() as connection:
        for wrong in ("owner = null", "status = 'pending'", "status = 'success'"):
            with pytest.raises(asyncpg.CheckViolationError):
                await connection.execute(f"update runs set {wrong} where id = $1", run.id)


ROWS = (
    f"""
    insert into runs (id, automation_id, automation_name, version, trigger_id,
        trigger_event_id, trigger_payload, trigger_time, actor, context_key, status, owner,
        epoch, rank_time, rank_sequence, finished_at)
    select gen_random_uuid(), 'a' || n % 500, 'n', 1, 't', 'e', '{{}}', now(), '{{}}',
           'k' || n % 97, case when n % 50 = 0 then 'pending' else 'success' end, null, 1,
           now(), n, case when n % 50 = 0 then null else now() end
      from generate_series(1, {MANY}) as n
    """,
    "insert into run_frames (run_id, epoch, document) select id, 1, '{}' from runs",
    """
    insert into run_steps (run_id, seq, action_path, action_kind, status, attempts, started_at)
    select id, 1, 'actions[0]', 'stop', 'success', 1, now() from runs
    """,
    """
    insert into artifacts (id, run_id, automation_id, action_id, artifact_type, data,
        context_key, created_at)
    select gen_random_uuid(), id, automation_id, 'p', 'x.y', '{}', context_key, now() from runs
    """,
    "insert into outbox select id::text, 1, 's', id::text, '{}' from runs",
    """
    insert into receipts select 'S:' || n, 'e', 'm' || n from generate_series(1, 50000) as n
    """,
    """
    insert into automations (id, name, status, version, created_at, updated_at)
    select 'a' || n, 'n', 'enabled', 1, now(), now() from generate_series(1, 5000) as n
    """,
    """
    insert into waits (id, run_id, kind, action_path, waiting_for, topic, event_id, due_at,
        state, cause, armed_at)
    select gen_random_uuid(), id, 'event', 'actions[0]', 'event e',
           decode(md5(id::text), 'hex'), 'e', now() + n * interval '1 second',
           case when n % 100 = 0 then 'fired' else 'armed' end,
           case when n % 100 = 0 then 'due' end, now()
      from (select id, row_number() over () as n from runs) as numbered
    """,
    """
    insert into timers (id, kind, automation_id, trigger_id, topic, armed_at, due_at)
    select gen_random_uuid(), 'hold', 'a' || n % 500, 't' || n, 'x', now(),
           now() + n * interval '1 second'
      from generate_series(1, 50000) as n
    """,
    """
    insert into occurrences select 'a' || n % 500, 't' || n, 'x', array[now()],
           now() + n * interval '1 second'
      from generate_series(1, 50000) as n
    """,
    """
    insert into judgements (delivery, event_id, message_id, automation_id, trigger_id, gate,
        detail, judged_at)
    select 'S:' || n, 'e', 'm' || n, 'a', 't', 'filter', 'false', now()
      from generate_series(1, 50000) as n
    """,
    """
    insert into parked_events (id, delivery, automation_id, wait_id, event_id, subject, headers,
        body, parked_at, parked_reason, parked_version, parked_tried, body_id)
    select gen_random_uuid(), 'S:' || n, 'a' || n % 500 + 1,
           case when n % 10 = 1 then gen_random_uuid() end, 'e', 's', '{}',
           convert_to(repeat('x', 400), 'UTF8'), now(),
           'r', '1', '{}', case when n % 10 = 0 then gen_random_uuid() end
      from generate_series(1, 50000) as n
    """,
    """
    update runs set gate = automation_id, queued = true
     where status = 'pending' and automation_id = 'a50'
    """,
    "insert into workers (id, name, engine_version) values (gen_random_uuid(), 'h', '1')",
    "insert into bodies select gen_random_uuid(), '{}' from generate_series(1, 50000)",
    """
    insert into recent_events (topic, event_id, context_key, time, sequence, delivery, actor, hop,
        body, handled_at)
    select decode(md5((n % 5000)::text), 'hex'), 'e', 'k' || n % 5000, now(), n, 'S:' || n, '{}', 0,
           '{}', now()
      from generate_series(1, 50000) as n
    """,
    """
    insert into automation_versions (automation_id, version, definition, created_at)
    select id, 1, '{}', now() from automations
    """,
    """
    insert into dropped_events
    select 'e' || n % 3, decode(md5(n::text), 'hex'), now(), n from generate_series(1, 10000) as n
    """,
    """
    insert into taken_events
    select gen_random_uuid(), 'actions[0]', now(), n from generate_series(1, 50000) as n
    """,
    """
    insert into hold_events (automation_id, trigger_id, topic, context_key, time, sequence, due_at,
        event)
    select 'a' || n % 500, 't' || n % 100, decode(md5((n % 5000)::text), 'hex'), 'k' || n % 5000,
           now() - n * interval '1 second', n, now(), '{}'
      from generate_series(1, 50000) as n
    """,
    "analyze",
)


async def fill(store_fixture: StoreFixture) -> None:
    """Put many rows in: finished runs, sleeping ones, unsent events, artifacts, timers."""
    async with store_fixture.database.pool.acquire() as connection:
        await connection.execute("set statement_timeout = 0")  # the machine may be busy
        for statement in ROWS:
            await connection.execute(statement)
        await connection.execute("set statement_timeout = 10000")


def scans(plan: Any) -> list[tuple[str, str]]:
    """Give (node, table) for every scan of a plan."""
    found = [(plan["Node Type"], plan["Relation Name"])] if "Relation Name" in plan else []
    return found + [scan for inner in plan.get("Plans", []) for scan in scans(inner)]


SMALL = {"workers", "catalog_revision"}
"""Tables that are small by nature."""

LISTED = [None, None, "a1", None, True, None, None, None]
"""What an index finds, in the parameters of a list of runs: those of one automation."""

HOT: dict[str, list[Any]] = {
    "receipts/take": [["S:x"], ["e"], ["m"], ["S"], [1], [NOW], ["k"]],
    "runs/count_active": [["a1", "a2"], ["a3", "a4"], ["k1", None]],
    "automations/lock_many": [["a1", "a2"]],
    "runs/claim_ready": [10, uuid4(), NOW],
    "runs/adopt": [10, uuid4(), [uuid4()], [NOW]],
    "runs/owned": [uuid4()],
    "runs/let_go": [[uuid4()], [1], uuid4()],
    "artifacts/consumable": ["a1", "k1", ["x.y"]],
    "outbox/of_topics": [["x", "y"]],
    "outbox/old": [5.0, 100],
    "outbox/forget": [["x"], [1]],
    "runs/step_items": [uuid4(), [1]],
    "waits/awaited": [[b"x"], ["e"], ["k"], [NOW], 0, uuid4()],
    "waits/standing": [[b"x"], ["e"], ["k"], [NOW]],
    "waits/fire": [[uuid4()], [None], "due", NOW, ["delay"]],
    "waits/expiring": [[uuid4()], NOW],
    "expiry/parked_for": [[uuid4()], ["e"], ["k"], [NOW]],
    "expiry/alive": [[uuid4()]],
    "waits/fired_of": [[uuid4()]],
    "waits/near": [uuid4(), NOW, NOW, 100, [uuid4()], [NOW]],
    "waits/next": [NOW],
    "waits/overdue": [NOW, 100, NOW, uuid4()],
    "waits/due_deadlines": [[uuid4()], NOW],
    "waits/sleepers": [uuid4(), 10, 1.0],
    "waits/unheard": [uuid4(), 10],
    "waits/list": [uuid4()],
    "runs/end": [[uuid4()], "cancelled", None, None, NOW],
    "runs/active_of": ["a1"],
    "runs/active": [["a1"], ["a3", "a4"], ["k1", None]],
    "triggers/occurrences": [["a1"], ["t1"], [b"x"]],
    "holds/known": [["a1"], ["t1"], [b"x"]],
    "holds/keep": [
        [uuid4()],
        [NOW],
        [1],
        [True],
        ["a1"],
        ["t1"],
        [b"x"],
        ["k"],
        [NOW],
        [1],
        [NOW],
        [b"{}"],
    ],
    "holds/drop": [["a1"], ["t1"], [b"x"], [NOW], [1]],
    "holds/arm_kept": [[uuid4()], ["a1"], ["t1"], [b"x"], [NOW], [1], [NOW]],
    "holds/old": [NOW, 100, NOW, "a1", "t1", b"x"],
    "timers/read": [[uuid4()]],
    "timers/near": [uuid4(), NOW, NOW, 100, [uuid4()], [NOW]],
    "timers/next": [NOW],
    "timers/overdue": [NOW, 100, NOW, uuid4()],
    "triggers/forget_occurrences": [NOW, 100],
    "decisions/forget": [100, 50],
    "receipts/forget": [24.0, NOW, "S", 10, NOW, 100],
    "queues/of_runs": [[uuid4()]],
    "queues/queued": ["", 10],
    "queues/promote": [["a1"]],
    "runs/lock": [[uuid4()], [uuid4()]],
    "runs/count_ready": [10],
    "runs/list": [*LISTED, *[None] * 4, None, None, 50, 0],
    "runs/floor": [*LISTED, None, 50_000],
    "runs/get": [uuid4()],
    "runs/large": [uuid4()],
    "bodies/read": [uuid4()],
    "bodies/may_share": [],
    "bodies/forget": [uuid4(), 100],
    "parked/event": [uuid4()],
    "parked/forget_events": [100],
    "parked/old_events": [72.0, 100],
    "recent/events": [b"x", "e", "k", uuid4(), "actions[0]", NOW, 1, 1, NOW],
    "recent/seen": [
        [uuid4()],
        [b"x"],
        ["e"],
        ["k"],
        [uuid4()],
        ["actions[0]"],
        [NOW],
        [1],
        [NOW],
        [1],
    ],
    "recent/looking": [[uuid4()]],
    "recent/left": [uuid4(), 20],
    "recent/take": [[uuid4()], ["actions[0]"], [NOW], [1]],
    "recent/forget_taken": [uuid4(), 100],
    "recent/forget": [NOW, 604800.0, 10, 100],
    "runs/list_steps": [uuid4()],
    "artifacts/list": [uuid4()],
}


async def test_hot_queries_read_no_table_as_a_whole(laboratory: StoreFixture) -> None:
    """On many rows."""
    await fill(laboratory)
    (run,) = await launched(laboratory)
    wanted = [(QUERIES[name].text, *arguments) for name, arguments in HOT.items()]
    async with laboratory.database.pool.acquire() as connection:
        await connection.execute("set plan_cache_mode = force_generic_plan")
        for text, *arguments in [*wanted, checkpoint_call([checkpoint(run, "success")])]:
            prepared = await connection.prepare(text)
            plan = (await prepared.explain(*arguments))[0]["Plan"]
            whole = [t for node, t in scans(plan) if node == "Seq Scan" and t not in SMALL]
            assert not whole, f"{text}: {json.dumps(plan, indent=1)}"


SLEEPERS = """
    insert into runs (id, automation_id, automation_name, version, trigger_id,
        trigger_event_id, trigger_payload, trigger_time, actor, context_key, status, owner,
        epoch, rank_time, rank_sequence)
    select gen_random_uuid(), 'busy', 'n', 1, 't', 'e', '{}', now(), '{}',
           case when n % 1000 = 0 then null else 'k' || n % 20000 end, 'waiting', null, 1, now(), n
      from generate_series(1, 100000) as n
"""


async def test_the_gate_reads_only_the_keys_that_it_asks_for(laboratory: StoreFixture) -> None:
    """Beside 100 000 runs that sleep: what is read is what is counted."""
    async with laboratory.database.pool.acquire() as connection:
        await connection.execute("set statement_timeout = 0")  # the machine may be busy
        await connection.execute(SLEEPERS)
        await connection.execute("vacuum analyze runs")
        await connection.execute("set plan_cache_mode = force_generic_plan")
        keys = [*(f"k{n}" for n in range(1, 256)), None]
        arguments: list[Any] = [[], ["busy"] * len(keys), keys]
        rows = await connection.fetch(QUERIES["runs/count_active"].text, *arguments)
        counts = {row["context_key"]: row["active"] for row in rows}
        assert counts == {**{f"k{n}": 5 for n in range(1, 256)}, None: 100}
        for name in ("runs/count_active", "runs/active"):
            explain = f"explain (analyze, format json) {QUERIES[name].text}"
            plan = json.loads(await connection.fetchval(explain, *arguments))[0]["Plan"]
            assert read(plan) < 3000, json.dumps(plan, indent=1)


def read(plan: Any) -> float:
    """Count the rows of tables that were looked at when a plan was executed."""
    own = 0.0
    if plan.get("Relation Name"):
        looked = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        own = looked * plan["Actual Loops"]
    return own + sum(read(inner) for inner in plan.get("Plans", []))
