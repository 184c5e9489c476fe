"""The kinds of waits and timers in the tables are those of the code, and mean the same."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import pytest_asyncio

from kinds import TIMERS, WAITS
from lockstep.model.runs import Checkpoint, Ending
from lockstep.model.waits import WaitRow, is_awaited
from lockstep.store.waits import end_runs
from store_fixture import Alone, StoreFixture, store_fixture

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = """
    select pg_get_constraintdef(oid) as says
      from pg_constraint where conrelid = $1::text::regclass and contype = 'c'
"""


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """A fixture on a database of its own."""
    async with store_fixture(dsn) as opened:
        yield opened


@pytest.mark.parametrize(("table", "kinds"), [("waits", WAITS), ("timers", TIMERS)])
async def test_a_table_takes_all_kinds_of_the_code_and_no_other(
    table: str, kinds: frozenset[str], laboratory: StoreFixture
) -> None:
    checks = [row["says"] for row in await laboratory.rows(CHECKS, table)]
    assert kinds in [set(re.findall("'([a-z]+)'::text", says)) for says in checks]


async def test_an_ended_run_tells_what_slept_in_which_bucket(laboratory: StoreFixture) -> None:
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": []})
    run = await laboratory.launch(program, {})
    waits = [
        WaitRow(
            id=uuid4(),
            kind=kind,
            path=f"actions[{n}]",
            waiting_for="w",
            armed_at=NOW,
            due_at=NOW,
            event_id="e" if kind == "event" else None,
        )
        for n, kind in enumerate(sorted(WAITS))
    ]
    armed = Checkpoint(
        run=run, at=NOW, document=b"{}", status="running", reason=None, error=None,
        steps=[], events=[], artifacts=[], waits=waits,
    )  # fmt: skip
    await Alone(laboratory.worker()).store(armed)
    async with laboratory.database.transaction() as connection:
        (ended,) = await end_runs(connection, [run.id], Ending(status="cancelled", at=NOW))
    assert {*ended.awaited} == {wait.id for wait in waits if is_awaited(wait.kind)}
    assert {*ended.delays} == {wait.id for wait in waits if not is_awaited(wait.kind)}
