"""Sweeps see all that they are for, whatever stands before it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from lockstep.model.ids import uuid7
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Ended, Ending
from lockstep.store import ChildStore, DueRows, WaitStore
from store_fixture import StoreFixture, store_fixture

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 450  # more than any sweep takes at once

# Runs of one automation, each in a queue of its own; the first one of each queue is at work.
QUEUES = """
    insert into runs (id, automation_id, automation_name, version, trigger_id, trigger_event_id,
        trigger_payload, trigger_time, actor, context_key, status, epoch, rank_time, rank_sequence,
        gate, queued)
    select gen_random_uuid(), 'a', 'n', 1, 't', 'e', '{}', now(), '{}', 'k' || n,
           case part when 1 then 'waiting' else 'pending' end, 1, now(), part,
           'a/=k' || n, part = 2
      from generate_series(1000, 1000 + $1) as n, generate_series(1, 2) as part
"""
FAMILIES = """
    with parents as (
        insert into runs (id, automation_id, automation_name, version, trigger_id,
            trigger_event_id, trigger_payload, trigger_time, actor, status, epoch, rank_time,
            rank_sequence, finished_at, stopped)
        select gen_random_uuid(), 'p', 'n', 1, 't', 'e', '{}', now(), '{}', $2, 1, now(), n,
               case when $2 in ('pending', 'waiting') then null else now() end, $3
          from generate_series(1, $1) as n
        returning id
    )
    insert into runs (id, automation_id, automation_name, version, trigger_id, trigger_event_id,
        trigger_payload, trigger_time, actor, status, epoch, rank_time, rank_sequence,
        parent_run_id, parent_path, cancel_with_parent)
    select gen_random_uuid(), 'c', 'n', 1, 't', 'e', '{}', now(), '{}', 'waiting', 1, now(), 1, id,
           'actions[0]', true
      from parents
"""
LEFT = """
    with over as (
        insert into runs (id, automation_id, automation_name, version, trigger_id,
            trigger_event_id, trigger_payload, trigger_time, actor, status, epoch, rank_time,
            rank_sequence, finished_at)
        select gen_random_uuid(), 'o', 'n', 1, 't', 'e', '{}', now(), '{}', 'cancelled', 1, now(),
               n, now()
          from generate_series(1, $1) as n
        returning id
    ),
    steps as (
        insert into run_steps (run_id, seq, action_path, action_kind, status, attempts, started_at)
        select id, 1, 'actions[0]', 'delay', 'waiting', 1, now() from over
    )
    insert into waits (id, run_id, kind, action_path, waiting_for, due_at, armed_at)
    select gen_random_uuid(), id, 'delay', 'actions[0]', '1 s', $2, $2 from over
"""

PARENTS = """
    with parents as (
        insert into runs (id, automation_id, automation_name, version, trigger_id,
            trigger_event_id, trigger_payload, trigger_time, actor, status, epoch, rank_time,
            rank_sequence, parked_at)
        select gen_random_uuid(), 'p', 'n', 1, 't', 'e', '{}', now(), '{}', 'waiting', 1, now(), n,
               case when $2 then now() end
          from generate_series(1, $1) as n
        returning id
    )
    insert into waits (id, run_id, kind, action_path, waiting_for, armed_at)
    select gen_random_uuid(), id, 'child', 'actions[0]', 'a run', now() from parents
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


async def test_a_queue_goes_on_whatever_number_of_others_is_held_up(
    laboratory: StoreFixture,
) -> None:
    await laboratory.rows(QUEUES, MANY)
    last = f"k{1000 + MANY}"
    await laboratory.rows(
        "update runs set status = 'success', finished_at = now() "
        "where context_key = $1 and not queued", last,
    )  # fmt: skip
    waits = WaitStore(laboratory.database, uuid7())
    assert [await waits.promote(200) for _ in range(4)] == [0, 0, 1, 0]
    (row,) = await laboratory.rows(
        "select context_key from runs where status = 'pending' and not queued"
    )
    assert row["context_key"] == last


@pytest.mark.parametrize(("status", "stopped"), [("failed", True), ("cancelled", False)])
async def test_children_end_with_a_parent_that_was_ended_from_outside(
    laboratory: StoreFixture, status: str, stopped: bool
) -> None:
    """By its deadline, or under a version that has not marked it."""
    await laboratory.rows(FAMILIES, MANY, status, stopped)
    found = set[UUID]()
    children = ChildStore(laboratory.database)
    for _ in range(3):  # nobody ends them meanwhile: what cannot be ended hides nothing
        found |= {*await children.orphans()}
    assert len(found) == MANY


async def test_children_go_on_whose_parent_has_ended_by_itself_or_has_not(
    laboratory: StoreFixture,
) -> None:
    for status in ("failed", "success", "waiting"):
        await laboratory.rows(FAMILIES, 3, status, False)
    assert await ChildStore(laboratory.database).orphans() == []


async def test_the_end_of_a_parent_by_its_deadline_is_known_to_the_sweep(
    laboratory: StoreFixture,
) -> None:
    await laboratory.rows(FAMILIES, 1, "waiting", False)
    (parent,) = await laboratory.rows("select id from runs where automation_id = 'p'")
    exceeded = Ending(status="failed", error="run exceeded 1 s", at=NOW)

    def told(ended: Ended) -> EventRow:
        return EventRow(str(ended.run.id), 1, "s", f"{ended.run.id}:1", b"{}", NOW)

    await WaitStore(laboratory.database, uuid7()).end([parent["id"]], exceeded, told)
    assert len(await ChildStore(laboratory.database).orphans()) == 1


async def test_a_parked_step_is_not_told_that_the_run_is_gone_which_it_has_not_started_yet(
    laboratory: StoreFixture,
) -> None:
    children = ChildStore(laboratory.database)
    await laboratory.rows(PARENTS, 3, True)
    assert await children.wake_missed(NOW) == []
    await laboratory.rows("update runs set parked_at = null")
    assert len(await children.wake_missed(NOW)) == 3


async def test_what_runs_have_left_that_are_over_blinds_no_sweep_and_is_taken_away(
    laboratory: StoreFixture,
) -> None:
    await laboratory.rows(LEFT, MANY, NOW - timedelta(hours=1))
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": []})
    run = await laboratory.launch(program, {})
    await laboratory.rows(
        "insert into waits (id, run_id, kind, action_path, waiting_for, due_at, armed_at) "
        "values ($1, $2, 'delay', 'actions[0]', '1 s', $3, $3)",
        due := uuid4(), run.id, NOW,
    )  # fmt: skip
    rows = DueRows(laboratory.database, uuid7(), list, "waits")
    assert [one.id for one in await rows.overdue(NOW, 250, None)] == [due]
    waits = WaitStore(laboratory.database, uuid7())
    gone = sum([await waits.forget_left(200) for _ in range(3)])
    assert gone == MANY
    assert [row["id"] for row in await laboratory.rows("select id from waits")] == [due]
    steps = await laboratory.rows("select distinct status, error_message from run_steps")
    assert [tuple(step) for step in steps] == [("failed", "cancelled")]


async def test_what_is_overdue_is_read_page_by_page(laboratory: StoreFixture) -> None:
    await laboratory.rows(LEFT, 5, NOW)
    await laboratory.rows("update runs set status = 'waiting', finished_at = null")
    rows = DueRows(laboratory.database, uuid7(), list, "waits")
    first = await rows.overdue(NOW, 3, None)
    rest = await rows.overdue(NOW, 3, first[-1])
    assert (len(first), len(rest)) == (3, 2)
    assert not {one.id for one in first} & {one.id for one in rest}
    assert await rows.overdue(NOW, 3, rest[-1]) == []
