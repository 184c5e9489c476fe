"""Bodies of events are not multiplied by the runs that they start, in rows and in memory."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from lockstep import launch, store
from lockstep.model.admissions import Admission
from lockstep.model.automations import Automation
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.new_runs import NewRun
from lockstep.model.program import TriggerRule
from lockstep.model.waits import topic
from lockstep.store.bodies import STATEMENT_BYTES, portions
from lockstep.store.queries import QUERIES
from lockstep_schemas.api import RunsList
from store_fixture import StoreFixture, store_fixture

LARGE = {"text": "ä" * 10_000}
SMALL = {"text": "x" * 8000}
STORED = "select octet_length(trigger_payload) as own, body_id from runs order by position"


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


async def start(
    laboratory: StoreFixture, payload: dict[str, Any], runs: int, places: int = 0
) -> list[NewRun]:
    """Let one event start so many runs."""
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": []})
    event = laboratory.event("e", payload)
    trigger = TriggerRule(id="e", event="e", filter=None, config={})
    automation = Automation(id="lab", name="lab", version=1, position=1, program=program)
    admissions = [Admission(TriggerMatch(event, automation, trigger)) for _ in range(runs)]
    async with store.Batches(laboratory.database, uuid7()).transaction() as tx:
        return await launch.create(admissions, places, laboratory.clock.now(), tx)


async def bodies(laboratory: StoreFixture) -> int:
    """Count the bodies that are stored."""
    return int((await laboratory.rows("select count(*) from bodies"))[0][0])


async def test_a_large_body_is_stored_once_and_read_once_whoever_takes_its_runs(
    laboratory: StoreFixture,
) -> None:
    await start(laboratory, LARGE, 5, places=1)
    stored = await laboratory.rows(STORED)
    assert {row["own"] for row in stored} == {0}
    assert len({row["body_id"] for row in stored}) == 1
    assert await bodies(laboratory) == 1
    worker = laboratory.worker()
    some, _ = await worker.claim_ready(2, laboratory.clock.now())
    more, _ = await worker.claim_ready(2, laboratory.clock.now())
    (adopted,) = await worker.adopt(10, [])
    taken = [*some, *more, adopted]
    assert [run.trigger_payload for run in taken] == [LARGE] * 5
    assert len({id(run.trigger_payload) for run in taken}) == 1, "one copy in memory"
    (other,) = [*(await laboratory.worker().adopt(10, []))][:1]
    assert other.trigger_payload == LARGE


@pytest.mark.parametrize(("payload", "runs"), [(SMALL, 3), (LARGE, 1)])
async def test_a_small_body_and_that_of_a_single_run_stay_in_the_row(
    laboratory: StoreFixture, payload: dict[str, Any], runs: int
) -> None:
    await start(laboratory, payload, runs)
    assert {(row["own"], row["body_id"]) for row in await laboratory.rows(STORED)} == {
        (len(json.dumps(payload).encode()), None)
    }
    assert await bodies(laboratory) == 0
    taken, _ = await laboratory.worker().claim_ready(5, laboratory.clock.now())
    assert [run.trigger_payload for run in taken] == [payload] * runs


async def test_none_is_shared_while_a_worker_of_an_older_version_may_read_it(
    laboratory: StoreFixture,
) -> None:
    await store.WorkerStore(laboratory.database, uuid7()).heartbeat("new", "2")
    old = "insert into workers (id, name, engine_version) values ($1, 'old', '1')"
    await laboratory.rows(old, UUID(int=1))
    await start(laboratory, LARGE, 3)
    assert await bodies(laboratory) == 0
    assert {row["own"] for row in await laboratory.rows(STORED)} == {
        len(json.dumps(LARGE).encode())
    }
    await laboratory.rows("delete from workers where id = $1", UUID(int=1))
    await start(laboratory, LARGE, 3)
    assert await bodies(laboratory) == 1


async def test_a_body_is_forgotten_with_its_last_run(laboratory: StoreFixture) -> None:
    runs = await start(laboratory, LARGE, 2)
    kept = await start(laboratory, LARGE, 2)
    retention = store.Retention(laboratory.database)
    await laboratory.rows("delete from runs where id = $1", runs[0].id)
    for _ in range(3):
        await retention.forget_bodies(1)
    assert await bodies(laboratory) == 2
    await laboratory.rows("delete from runs where id = $1", runs[1].id)
    for _ in range(3):
        await retention.forget_bodies(1)
    assert await bodies(laboratory) == 1
    taken, _ = await laboratory.worker().claim_ready(5, laboratory.clock.now())
    assert [run.id for run in taken] == [run.id for run in kept]
    assert [run.trigger_payload for run in taken] == [LARGE] * 2


async def test_a_run_whose_body_is_lost_is_taken_to_be_failed(laboratory: StoreFixture) -> None:
    await start(laboratory, LARGE, 2)
    await laboratory.rows("delete from bodies")
    taken, _ = await laboratory.worker().claim_ready(5, laboratory.clock.now())
    assert [run.has_frames for run in taken] == [False] * 2


async def test_what_is_large_of_a_single_run_comes_with_its_claim(laboratory: StoreFixture) -> None:
    (run,) = await start(laboratory, LARGE, 1)
    document = msgspec.json.encode({"x": "y" * 100_000})
    await laboratory.rows("update run_frames set document = $1, event_seq = 3", document)
    ((claimed,), _) = await laboratory.worker().claim_ready(5, laboratory.clock.now())
    assert (claimed.id, claimed.trigger_payload, claimed.document) == (run.id, LARGE, document)
    assert claimed.has_frames


async def test_people_see_the_payload_wherever_it_is_stored(laboratory: StoreFixture) -> None:
    await start(laboratory, LARGE, 2)
    await start(laboratory, LARGE, 1)
    await start(laboratory, SMALL, 1)
    views = store.RunViews(laboratory.database)
    shown = await views.page(RunsList(), None)
    assert [run.trigger_payload for run in shown.runs] == [SMALL, LARGE, LARGE, LARGE]
    for run in shown.runs:
        again = await views.run(UUID(run.id))
        assert again is not None
        assert again.trigger_payload == run.trigger_payload


def test_rows_go_in_their_order_as_many_at_once_as_fit() -> None:
    mb = 1 << 20
    sizes = [mb, mb, mb, mb, mb, 9 * mb, 1, 1]
    parts = [list(part) for part in portions(sizes, lambda size: size)]
    assert [one for part in parts for one in part] == sizes
    assert all(len(part) == 1 or sum(part) <= STATEMENT_BYTES for part in parts)
    assert len(parts) == 4
    assert [len(part) for part in portions([1] * 7, lambda size: size, 3)] == [3, 3, 1]
    assert list(portions([], len)) == []


async def test_of_what_is_overdue_so_much_is_read_as_fits(laboratory: StoreFixture) -> None:
    """Of holds of large events, and of the outbox: the first ones, or one that is larger."""
    for number in range(1, 6):
        await laboratory.rows(
            "insert into timers (id, kind, automation_id, trigger_id, topic, event, armed_at,"
            " due_at) select $1, 'hold', 'a', 't', $2, convert_to($3, 'utf8'), now(), now()",
            UUID(int=number), bytes([number]), json.dumps(HELD),
        )  # fmt: skip
    timers = store.Batches(laboratory.database, uuid7()).timers
    ids = [UUID(int=number) for number in range(1, 6)]
    first, _ = await timers(ids)
    assert [one.id for one in first] == ids[:2]
    rest, _ = await timers(ids[2:])
    assert [one.id for one in rest] == ids[2:4]
    await laboratory.rows(
        "insert into outbox (topic, seq, subject, message_id, body, created_at)"
        " select 't' || n, 1, 's', n, convert_to(repeat('x', 3000000), 'utf8'),"
        " now() - interval '1 minute' + n * interval '1 second' from generate_series(1, 5) as n"
    )
    outbox = store.OutboxStore(laboratory.database, uuid7())
    assert [row.topic for row in await outbox.overdue(5.0, 100)] == ["t1", "t2"]
    assert [row.topic for row in await outbox.overdue(5.0, 1)] == ["t1"]


async def test_what_has_fired_of_many_runs_is_read_by_its_bytes(laboratory: StoreFixture) -> None:
    runs = await start(laboratory, SMALL, 5, places=5)
    payload = json.dumps({"x": "x" * 1_500_000}).encode()
    for number, run in enumerate(runs, 1):
        await laboratory.rows(
            "insert into waits (id, run_id, kind, action_path, waiting_for, topic, event_id,"
            " state, cause, payload, armed_at) values ($1, $2, 'event', 'p', 'w', $3, 'go',"
            " 'fired', 'event', $4, now())",
            UUID(int=number), run.id, topic("go", None), payload,
        )  # fmt: skip
    ids = sorted(run.id for run in runs)
    at_once = await laboratory.rows(QUERIES["waits/fired_of"].text, ids)
    assert [row["run_id"] for row in at_once] == ids[:2]
    found = await laboratory.worker().fired(ids)
    assert [*found] == ids
    assert {len(woken.fired) for woken in found.values()} == {1}


async def test_of_waits_with_large_scopes_so_many_are_read_as_fit(laboratory: StoreFixture) -> None:
    (run,) = await start(laboratory, SMALL, 1)
    scope = json.dumps({"x": "x" * 1_500_000}).encode()
    for number in range(1, 6):
        await laboratory.rows(
            "insert into waits (id, run_id, kind, action_path, waiting_for, topic, event_id,"
            " filter, run_scope, armed_at) values ($1, $2, 'event', 'p', 'w', $3, 'go', 'true', $4,"
            " now())",
            UUID(int=number), run.id, topic("go", None), scope,
        )  # fmt: skip
    events = [laboratory.event("go", {}), laboratory.event("go", {})]
    found: list[tuple[int, int]] = []
    pages = 0
    async with store.Batches(laboratory.database, uuid7()).transaction() as tx:
        last = None
        while last is None or last.follows:
            page = await tx.awaited(events, last)
            assert sum(len(scope) for _ in page) <= STATEMENT_BYTES
            found += [(one.place, one.id.int) for one in page]
            last, pages = page[-1], pages + 1
    assert found == [(place, number) for place in (0, 1) for number in range(1, 6)]
    assert pages == 5


HELD = {
    "id": "e", "delivery": "S:1:0", "message_id": None, "context_key": None, "actor": {},
    "hop": 0, "time": "2026-01-01T00:00:00Z", "sequence": 1, "payload": {"text": "x" * 2_000_000},
}  # fmt: skip
"""An event of 2 MB, as a hold keeps it."""
