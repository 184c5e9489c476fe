"""A run goes on from its frames as if nothing had happened, wherever its worker is killed."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import TEMPLATE, database, on_server
from lab import Alone, Killed, KilledAt, Lab, lab
from lockstep.embedded import Servers
from lockstep.model.program import Program
from property.definitions import definitions

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]
PAYLOAD: Json = {"text": "t", "flag": True, "list": ["a", "b"], "zero": 0}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def laboratory(servers: Servers) -> AsyncIterator[Lab]:
    """One database for all examples."""
    await on_server(servers.postgres_dsn, f"create database lab_walk template {TEMPLATE}")
    async with lab(database(servers.postgres_dsn, "lab_walk")) as opened:
        yield opened


class Traced:
    """What a run did: final row, steps by path, what was recorded, calls by idempotency key."""

    def __init__(self, run: Json, steps: Json, calls: list[tuple[str, str, str]]) -> None:
        self.run, self.steps = run, steps
        self.recorded = Counter({(path, value) for _, path, value in calls})
        self.calls = Counter(key for key, _, _ in calls)


async def trace(lab: Lab, run_id: Any) -> Traced:
    (row,) = await lab.rows("select status, reason, error_message from runs where id = $1", run_id)
    mine = [record for record in lab.recorder.records if record.run_id == str(run_id)]
    calls = [(record.idempotency_key, record.path, record.value) for record in mine]
    return Traced(dict(row), await lab.steps(run_id), calls)


async def undisturbed(lab: Lab, program: Program) -> tuple[Traced, int]:
    """Walk once without a kill; give the trace and how many writes it took."""
    run = await lab.launch(program, PAYLOAD)
    counted = KilledAt(Alone(lab.worker()), 10**9, after=True)
    await lab.walk(run, program, counted)
    return await trace(lab, run.id), counted.writes


async def killed_at(lab: Lab, program: Program, write: int, *, after: bool) -> Traced:
    """Walk, die at a write, be adopted, go on to the end."""
    run = await lab.launch(program, PAYLOAD)
    with pytest.raises(Killed):
        await lab.walk(run, program, KilledAt(Alone(lab.worker()), write, after=after))
    if (await lab.rows("select status from runs where id = $1", run.id))[0]["status"] == "running":
        worker = lab.worker()
        await lab.walk(await lab.adopt(worker, run.id), program, Alone(worker))
    return await trace(lab, run.id)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(raw=definitions, data=st.data())
async def test_a_killed_walk_ends_as_one_that_never_was(
    laboratory: Lab, raw: Json, data: st.DataObject
) -> None:
    program = laboratory.program(raw)
    expected, writes = await undisturbed(laboratory, program)
    write = data.draw(st.integers(1, writes), label="write")
    after = data.draw(st.booleans(), label="after the commit")
    seen = await killed_at(laboratory, program, write, after=after)
    assert seen.run == expected.run
    assert seen.steps == expected.steps
    assert set(seen.recorded) == set(expected.recorded)
    # Only what was being called when the worker died is called again, and under the same key.
    assert all(calls <= 2 for calls in seen.calls.values())


@pytest.mark.parametrize("after", [False, True])
async def test_every_write_of_a_nested_run_can_be_the_last(laboratory: Lab, after: bool) -> None:
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
                        {**record, "id": "d"},
                    ],
                }
            },
            {**record, "id": "e"},
        ],
    }
    program = laboratory.program(raw)
    expected, writes = await undisturbed(laboratory, program)
    assert writes >= 8
    for write in range(1, writes + 1):
        seen = await killed_at(laboratory, program, write, after=after)
        assert (seen.run, seen.steps) == (expected.run, expected.steps)
        assert set(seen.recorded) == set(expected.recorded)


async def test_a_crash_right_after_a_success_is_stored_calls_nothing_twice(
    laboratory: Lab,
) -> None:
    record = {"action": "test.record", "config": {"value": "x"}}
    actions = [{**record, "id": f"r{i}"} for i in range(3)]
    program = laboratory.program({"name": "n", "triggers": [{"event": "e"}], "actions": actions})
    for write in (1, 2, 3):
        seen = await killed_at(laboratory, program, write, after=True)
        assert set(seen.calls.values()) == {1}
        assert seen.run["status"] == "success"
