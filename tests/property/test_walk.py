"""A run goes on from its frames as if nothing had happened, wherever its worker is killed."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import TEMPLATE, database, on_server
from lockstep.embedded import Servers
from lockstep.model.program import Program
from lockstep.model.runs import RunState
from lockstep.ports.walk import Checkpoints
from property.definitions import definitions
from store_fixture import Alone, Killed, KilledAt, StoreFixture, store_fixture

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
MOST_STEPS = 500
PAYLOAD: Json = {"text": "t", "flag": True, "list": ["a", "b"], "zero": 0}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def laboratory(servers: Servers) -> AsyncIterator[StoreFixture]:
    """One database for all examples."""
    await on_server(servers.postgres_dsn, f"create database lab_walk template {TEMPLATE}")
    async with store_fixture(database(servers.postgres_dsn, "lab_walk")) as opened:
        yield opened


class Traced:
    """What a run did: final row, steps by path, what was recorded, calls by idempotency key."""

    def __init__(self, run: Json, steps: Json, calls: list[tuple[str, str, str]]) -> None:
        self.run, self.steps = run, steps
        self.recorded = Counter({(path, value) for _, path, value in calls})
        self.calls = Counter(key for key, _, _ in calls)


async def trace(store_fixture: StoreFixture, run_id: Any) -> Traced:
    (row,) = await store_fixture.rows(
        "select status, reason, error_message from runs where id = $1", run_id
    )
    mine = [record for record in store_fixture.recorder.records if record.run_id == str(run_id)]
    calls = [(record.idempotency_key, record.path, record.value) for record in mine]
    return Traced(dict(row), await store_fixture.steps(run_id), calls)


async def live(
    store_fixture: StoreFixture,
    run: RunState,
    program: Program,
    checkpoints: Checkpoints,
    schedule: list[str],
) -> None:
    """Walk a run to its end, whatever kills it; while it sleeps, let happen what is next."""
    happenings = iter(schedule)
    state: RunState | None = run
    for _ in range(MOST_STEPS):
        if state is not None:
            try:
                await store_fixture.walk(state, program, checkpoints)
            except Killed:
                checkpoints = Alone(store_fixture.worker())
        state = None
        (row,) = await store_fixture.rows("select status from runs where id = $1", run.id)
        if row["status"] == "running":
            state = await store_fixture.adopt(store_fixture.worker(), run.id)
        elif row["status"] == "waiting":
            await happen(store_fixture, run.id, next(happenings, "due"))
            state = await store_fixture.claim(run.id)
        else:
            return
    raise AssertionError("the run does not end")


async def happen(store_fixture: StoreFixture, run_id: UUID, what: str) -> None:
    """Let an event come, or time pass; what waits without a limit gets its event in the end."""
    if what == "due":
        if not await store_fixture.pass_time(run_id):
            await store_fixture.deliver(
                store_fixture.event("go", {"n": 9}), store_fixture.event("go2", {"n": 9})
            )
    else:
        name, _, number = what.partition(" ")
        await store_fixture.deliver(store_fixture.event(name, {"n": int(number)}))


async def undisturbed(
    store_fixture: StoreFixture, program: Program, schedule: list[str]
) -> tuple[Traced, int]:
    """Walk once without a kill; give the trace and how many writes it took."""
    run = await store_fixture.launch(program, PAYLOAD)
    counted = KilledAt(Alone(store_fixture.worker()), 10**9, after=True)
    await live(store_fixture, run, program, counted, schedule)
    return await trace(store_fixture, run.id), counted.writes


async def killed_at(
    store_fixture: StoreFixture, program: Program, write: int, *, after: bool, schedule: list[str]
) -> Traced:
    """Walk, die at a write, be taken up by another worker, go on to the end."""
    run = await store_fixture.launch(program, PAYLOAD)
    killer = KilledAt(Alone(store_fixture.worker()), write, after=after)
    await live(store_fixture, run, program, killer, schedule)
    assert killer.writes >= write, "it did not die there"
    return await trace(store_fixture, run.id)


schedules = st.lists(st.sampled_from(["due", "due", "go 1", "go 2", "go2 1", "go2 2"]), max_size=8)


@settings(max_examples=120, suppress_health_check=list(HealthCheck), print_blob=True)
@given(raw=definitions, schedule=schedules, place=st.integers(0, 999), after=st.booleans())
async def test_a_killed_walk_ends_as_one_that_never_was(
    laboratory: StoreFixture, raw: Json, schedule: list[str], place: int, after: bool
) -> None:
    program = laboratory.program(raw)
    expected, writes = await undisturbed(laboratory, program, schedule)
    write = 1 + place * writes // 1000
    seen = await killed_at(laboratory, program, write, after=after, schedule=schedule)
    assert seen.run == expected.run
    assert seen.steps == expected.steps
    assert set(seen.recorded) == set(expected.recorded)
    # Only what was being called when the worker died is called again, and under the same key.
    assert all(calls <= 2 for calls in seen.calls.values())


@pytest.mark.parametrize("after", [False, True])
async def test_every_write_of_a_nested_run_can_be_the_last(
    laboratory: StoreFixture, after: bool
) -> None:
    record = {"action": "test.record", "config": {"value": "{{ repeat.index }}"}}
    raw = {
        "name": "nested",
        "triggers": [{"event": "e"}],
        "actions": [
            {
                "repeat": {
                    "for_each": "trigger.payload.list",
                    "sequence": [
                        {
                            "parallel": [
                                {"sequence": [{**record, "id": "a"}, {**record, "id": "b"}]},
                                {
                                    "choose": [
                                        {"when": "true", "sequence": [{**record, "id": "c"}]}
                                    ],
                                },
                            ]
                        },
                        {"variables": {"n": "{{ repeat.index }}"}},
                        {
                            "parallel": [
                                {"delay": {"seconds": 1}},
                                {"wait_for_trigger": {"event": "go"}},
                            ]
                        },
                        {**record, "id": "d"},
                    ],
                }
            },
            {**record, "id": "e"},
        ],
    }
    program = laboratory.program(raw)
    expected, writes = await undisturbed(laboratory, program, [])
    assert writes >= 8
    for write in range(1, writes + 1):
        seen = await killed_at(laboratory, program, write, after=after, schedule=[])
        assert (seen.run, seen.steps) == (expected.run, expected.steps)
        assert set(seen.recorded) == set(expected.recorded)


async def test_a_crash_right_after_a_success_is_stored_calls_nothing_twice(
    laboratory: StoreFixture,
) -> None:
    record = {"action": "test.record", "config": {"value": "x"}}
    actions = [{**record, "id": f"r{i}"} for i in range(3)]
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": actions})
    for write in (1, 2, 3):
        seen = await killed_at(laboratory, program, write, after=True, schedule=[])
        assert set(seen.calls.values()) == {1}
        assert seen.run["status"] == "success"
