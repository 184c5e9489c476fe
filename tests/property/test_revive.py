"""A run that failed and is retried from there ends as one that never failed."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from databases import TEMPLATE, database, on_server
from failing_actions import Faults, with_faults
from lockstep.embedded import Servers
from lockstep.model.program import Program
from lockstep.model.runs import RunState
from property.definitions import definitions
from property.test_walk import PAYLOAD, live
from store_fixture import Alone, Killed, KilledAt, StoreFixture, store_fixture

pytestmark = pytest.mark.asyncio(loop_scope="session")

Json = dict[str, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broken(servers: Servers) -> AsyncIterator[tuple[StoreFixture, Faults]]:
    """One database for all examples, and an action that fails on request."""
    await on_server(servers.postgres_dsn, f"create database lab_retry template {TEMPLATE}")
    async with store_fixture(database(servers.postgres_dsn, "lab_retry")) as opened:
        yield opened, with_faults(opened.catalog)


def ways(value: object, way: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    """Give each `test.record` of a definition, with all that is around it."""
    if isinstance(value, dict):
        way = (*way, value)
        if value.get("action") == "test.record":
            yield way
        for inner in value.values():
            yield from ways(inner, way)
    elif isinstance(value, list):
        for inner in value:
            yield from ways(inner, way)


def strict_at(raw: Json, place: int) -> str:
    """Let the run fail by one of its actions, whatever is around it; give the id of that."""
    found = list(ways(raw))
    assume(found)
    way = found[place % len(found)]
    for around in way:
        around.pop("continue_on_error", None)
    return str(way[-1]["id"])


class Lived:
    """Runs that belong together: how the last one ended, and what all of them did."""

    def __init__(self, final: Json, steps: Json, recorded: Counter[tuple[str, str]]) -> None:
        self.final, self.steps, self.recorded = final, steps, recorded


async def lived(store_fixture: StoreFixture, run_ids: list[UUID]) -> Lived:
    query = "select status, reason, error_message from runs where id = $1"
    (row,) = await store_fixture.rows(query, run_ids[-1])
    mine = {str(run_id) for run_id in run_ids}
    calls = [
        (call.path, call.value) for call in store_fixture.recorder.records if call.run_id in mine
    ]
    return Lived(dict(row), await store_fixture.steps(run_ids[-1]), Counter(calls))


async def walked(
    store_fixture: StoreFixture, run: RunState, program: Program, write: int = 10**9
) -> KilledAt:
    """Walk a run to its end; die at a write, and be taken up by another worker."""
    counted = KilledAt(Alone(store_fixture.worker()), write, after=bool(write % 2))
    await live(store_fixture, run, program, counted, [])
    return counted


@settings(max_examples=120, suppress_health_check=list(HealthCheck), print_blob=True)
@given(
    raw=definitions,
    place=st.integers(0, 99),
    visit=st.integers(0, 99),
    times=st.integers(1, 2),
    write=st.integers(1, 12),
)
async def test_a_retry_goes_on_as_if_nothing_had_failed(
    broken: tuple[StoreFixture, Faults], raw: Json, place: int, visit: int, times: int, write: int
) -> None:
    laboratory, faults = broken
    action_id = strict_at(raw, place)
    program = laboratory.program(raw)
    whole = await laboratory.launch(program, PAYLOAD)
    await walked(laboratory, whole, program)
    expected = await lived(laboratory, [whole.id])
    paths = await laboratory.rows(
        "select action_path from run_steps where run_id = $1 and action_id = $2 "
        "and status = 'success' order by seq",
        whole.id,
        action_id,
    )
    assume(paths)
    path = paths[visit % len(paths)]["action_path"]
    run = await laboratory.launch(program, PAYLOAD)
    run_ids = [run.id]
    for _ in range(times):
        faults.put(str(run.id), path)
        await walked(laboratory, run, program)
        (row,) = await laboratory.rows("select status from runs where id = $1", run.id)
        assert row["status"] == "failed"
        run = await laboratory.retry(run.id, program)
        run_ids.append(run.id)
    await walked(laboratory, run, program, write)
    seen = await lived(laboratory, run_ids)
    assert seen.final == expected.final
    assert seen.steps == expected.steps
    assert set(seen.recorded) == set(expected.recorded)
    # Only what was being called when the worker died is called again.
    assert all(0 <= calls <= 1 for calls in (seen.recorded - expected.recorded).values())


NESTED: Json = {
    "name": "nested",
    "triggers": [{"event": "e"}],
    "actions": [
        {"variables": {"n": 0, "list": "{{ trigger.payload.list }}"}},
        {
            "repeat": {
                "for_each": "variables.list",
                "sequence": [
                    {"variables": {"n": "{{ variables.n + 1 }}", "list": []}},
                    {
                        "parallel": [
                            {"sequence": [{"variables": {"n": 9}}, {"delay": {"seconds": 1}}]},
                            {
                                "choose": [
                                    {
                                        "when": "true",
                                        "sequence": [
                                            {
                                                "action": "test.record",
                                                "id": "first",
                                                "config": {"value": "{{ variables.n }}"},
                                            },
                                            {
                                                "action": "test.record",
                                                "id": "here",
                                                "config": {
                                                    "value": "{{ repeat.item }} {{ variables.n }}"
                                                },
                                            },
                                        ],
                                    }
                                ]
                            },
                        ]
                    },
                ],
            }
        },
        {
            "action": "test.record",
            "id": "last",
            "config": {"value": "{{ variables }}{{ artifacts }}"},
        },
    ],
}
HERE = "actions[1].repeat[0].sequence[1].parallel[1][0].choose[0].sequence[1]"


@pytest.mark.parametrize("after", [False, True])
async def test_every_write_of_a_retry_can_be_the_last(
    broken: tuple[StoreFixture, Faults], after: bool
) -> None:
    laboratory, faults = broken
    program = laboratory.program(NESTED)
    whole = await laboratory.launch(program, PAYLOAD)
    await walked(laboratory, whole, program)
    expected = await lived(laboratory, [whole.id])
    failed = await laboratory.launch(program, PAYLOAD)
    faults.put(str(failed.id), HERE)
    await walked(laboratory, failed, program)
    counted = await walked(laboratory, again := await laboratory.retry(failed.id, program), program)
    assert await same(laboratory, [failed.id, again.id], expected)
    assert counted.writes >= 4
    for write in range(1, counted.writes + 1):
        again = await laboratory.retry(failed.id, program)
        killer = KilledAt(Alone(laboratory.worker()), write, after=after)
        await live(laboratory, again, program, killer, [])
        assert killer.writes >= write, "it did not die there"
        assert await same(laboratory, [failed.id, again.id], expected)
        (row,) = await laboratory.rows(
            "select count(*) as events, max(seq) as last from outbox where topic = $1",
            str(again.id),
        )
        assert row["events"] == row["last"], "the run events have no gap"


async def same(store_fixture: StoreFixture, run_ids: list[UUID], expected: Lived) -> bool:
    """Say whether runs, taken together, did and ended as one that never failed."""
    seen = await lived(store_fixture, run_ids)
    assert (seen.final, seen.steps) == (expected.final, expected.steps)
    return set(seen.recorded) == set(expected.recorded)


@pytest.mark.parametrize("after", [False, True])
async def test_a_branch_that_has_failed_is_not_walked_again_after_a_crash(
    broken: tuple[StoreFixture, Faults], after: bool
) -> None:
    laboratory, _ = broken
    fails = {"action": "test.fail", "id": "fails", "config": {"reason": "x"}}
    deep = {"repeat": {"count": 2, "sequence": [{"sequence": [fails]}]}}
    records = [
        {"action": "test.record", "id": f"r{i}", "config": {"value": f"{i}"}} for i in range(4)
    ]
    program = laboratory.program(
        {
            "name": "n",
            "triggers": [{"event": "e"}],
            "actions": [{"parallel": [deep, {"sequence": records}]}],
        }
    )
    failure = (
        "select from run_steps where run_id = $1 and status = 'failed' and action_id = 'fails'"
    )
    whole = await laboratory.launch(program, PAYLOAD)
    counted = await walked(laboratory, whole, program)
    expected = await lived(laboratory, [whole.id])
    stored = 0
    for write in range(1, counted.writes + 1):
        run = await laboratory.launch(program, PAYLOAD)
        with suppress(Killed):
            await laboratory.walk(run, program, KilledAt(Alone(laboratory.worker()), write, after))
        known = await laboratory.rows(failure, run.id)
        stored += len(known)
        before = failures(laboratory, run.id)
        (row,) = await laboratory.rows("select status from runs where id = $1", run.id)
        if row["status"] == "running":
            await walked(laboratory, await laboratory.adopt(laboratory.worker(), run.id), program)
        elif row["status"] == "waiting":
            await walked(laboratory, run, program)
        assert failures(laboratory, run.id) == before if known else before <= 1
        seen = await lived(laboratory, [run.id])
        assert (seen.final, seen.steps) == (expected.final, expected.steps)
    assert stored >= 2, "some died between the failure and the end"


def failures(store_fixture: StoreFixture, run_id: UUID) -> int:
    """Count the calls of `test.fail` of a run."""
    mine = [call for call in store_fixture.recorder.calls if call.run_id == str(run_id)]
    return sum(call.action == "test.fail" for call in mine)


async def test_a_run_that_ended_in_what_cannot_be_stored_goes_on_from_what_was_stored_last(
    broken: tuple[StoreFixture, Faults],
) -> None:
    laboratory, _ = broken
    record = {"action": "test.record", "config": {"value": "{{ repeat.item }}"}, "id": "r"}
    wait = {
        "choose": [
            {
                "when": "repeat.item == 'b'",
                "sequence": [
                    {
                        "wait_for_trigger": {
                            "event": "go",
                            "context_key": "{{ trigger.payload.key }}",
                        }
                    }
                ],
            }
        ]
    }
    loop = {"repeat": {"for_each": "trigger.payload.list", "sequence": [record, wait]}}
    program = laboratory.program(
        {"name": "n", "triggers": [{"event": "e"}], "actions": [loop, {**record, "id": "s"}]}
    )
    run = await laboratory.launch(program, {**PAYLOAD, "key": "a\x00b"})
    await walked(laboratory, run, program)
    (row,) = await laboratory.rows("select error_message from runs where id = $1", run.id)
    assert "PostgreSQL" in row["error_message"]
    again = await laboratory.retry(run.id, program)
    await walked(laboratory, again, program)
    seen = await lived(laboratory, [run.id, again.id])
    assert seen.final["error_message"] == row["error_message"]
    # What was called last is not known to have succeeded.
    assert seen.recorded == {
        ("actions[0].repeat[0].sequence[0]", "a"): 1,
        ("actions[0].repeat[1].sequence[0]", "b"): 2,
    }
