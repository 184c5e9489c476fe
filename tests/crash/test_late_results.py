"""Calls whose result follows: the worker may die at any write, the result come at any moment."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from databases import TEMPLATE, database, on_server
from lockstep import store, wake
from lockstep.catalog import Registry
from lockstep.embedded import Servers
from lockstep.model.program import Program
from lockstep.model.runs import RunState
from lockstep.model.types import ActionContext, ActionResult
from lockstep.ports.walk import Checkpoints
from lockstep_schemas.events import ACTION_DONE
from store_fixture import Alone, Killed, KilledAt, StoreFixture, store_fixture

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
MOST_STEPS = 200
RECORD: Json = {"id": "noted", "action": "test.record", "config": {"value": "x"}}
RAW: Json = {
    "name": "late",
    "triggers": [{"event": "e"}],
    "actions": [
        {
            "parallel": [
                {"id": "a", "action": "late.work", "config": {"when": "after"}},
                {"id": "b", "action": "late.work", "config": {"when": "before"}},
                {"id": "c", "action": "late.work", "config": {"when": "at once"}},
            ]
        },
        {
            "repeat": {
                "count": 2,
                "sequence": [{"id": "d", "action": "late.work", "config": {"when": "after"}}],
            }
        },
        {**RECORD, "config": {"value": "{{ artifacts.a.made.key }} {{ artifacts.d.made.key }}"}},
    ],
}


class Late:
    """An action that says how it ended at once, later, or before it has answered."""

    def __init__(self, store_fixture: StoreFixture) -> None:
        self.store_fixture = store_fixture
        self.calls: Counter[str] = Counter()

    def register(self, registry: Registry) -> None:
        """Bring `late.work`."""
        registry.artifact("made")
        registry.add_action("work", self.work, produces="made", follow_up="remote")

    async def work(self, context: ActionContext) -> ActionResult:
        """Count the call, and answer as the config says."""
        key = context.idempotency_key
        self.calls[key] += 1
        config: Any = context.config
        if config["when"] == "at once":
            return ActionResult(artifact={"key": key.partition(":")[2]})
        if config["when"] == "before":
            await result(self.store_fixture, key)
        return ActionResult(accepted=True)


async def result(store_fixture: StoreFixture, key: str) -> None:
    """Let the result of a call come, as the event does."""
    made = {"key": key.partition(":")[2]}
    event = store_fixture.event(
        ACTION_DONE, {"idempotency_key": key, "success": True, "artifact": made}
    )
    async with store.Batches(store_fixture.database, uuid4()).transaction() as tx:
        found = await wake.late_results([event], tx)
        await tx.fire([(one.wait.id, event.body) for one in found], store_fixture.clock.now())


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def late(servers: Servers) -> AsyncIterator[Late]:
    """A fixture with the action."""
    await on_server(servers.postgres_dsn, f"create database lab_late template {TEMPLATE}")
    async with store_fixture(database(servers.postgres_dsn, "lab_late")) as opened:
        made = Late(opened)
        opened.catalog.register("late", made.register)
        yield made


async def live(late: Late, run: RunState, program: Program, checkpoints: Checkpoints) -> None:
    """Walk a run to its end, whatever kills it; while it sleeps, results come one by one."""
    store_fixture = late.store_fixture
    state: RunState | None = run
    for _ in range(MOST_STEPS):
        if state is not None:
            try:
                await store_fixture.walk(state, program, checkpoints)
            except* Killed:
                checkpoints = Alone(store_fixture.worker())
        state = None
        (row,) = await store_fixture.rows("select status from runs where id = $1", run.id)
        if row["status"] == "running":
            state = await store_fixture.adopt(store_fixture.worker(), run.id)
        elif row["status"] in {"waiting", "pending"}:
            await come(store_fixture, run.id)
            state = await store_fixture.claim(run.id)
        else:
            return
    raise AssertionError("the run does not end")


async def come(store_fixture: StoreFixture, run_id: UUID) -> None:
    """Let the first result come that is waited for."""
    query = "select action_path from waits where run_id = $1 and state = 'armed' order by id"
    for row in (await store_fixture.rows(query, run_id))[:1]:
        await result(store_fixture, f"{run_id}:{row['action_path']}")


async def seen(late: Late, run: RunState) -> tuple[Json, Json, set[str], int]:
    """What the run did: its row, its steps, what it recorded; and the waits that are left."""
    store_fixture = late.store_fixture
    (row,) = await store_fixture.rows(
        "select status, error_message from runs where id = $1", run.id
    )
    (left,) = await store_fixture.rows("select count(*) from waits where run_id = $1", run.id)
    recorded = {r.value for r in store_fixture.recorder.records if r.run_id == str(run.id)}
    return dict(row), await store_fixture.steps(run.id), recorded, left[0]


@pytest.mark.parametrize("after", [False, True])
async def test_every_write_around_a_late_result_can_be_the_last(late: Late, after: bool) -> None:
    store_fixture = late.store_fixture
    program = store_fixture.program(RAW)
    run = await store_fixture.launch(program, {})
    counted = KilledAt(Alone(store_fixture.worker()), 10**9, after=True)
    await live(late, run, program, counted)
    expected = await seen(late, run)
    assert expected[0]["status"] == "success", expected
    assert expected[2] == {"actions[0].parallel[0][0] actions[1].repeat[1].sequence[0]"}
    assert counted.writes >= 6
    for write in range(1, counted.writes + 1):
        run = await store_fixture.launch(program, {})
        await live(late, run, program, KilledAt(Alone(store_fixture.worker()), write, after=after))
        assert await seen(late, run) == expected
        mine = [n for key, n in late.calls.items() if key.startswith(str(run.id))]
        assert len(mine) == 5
        assert max(mine) <= 2  # again only what was being called, and under the same key
