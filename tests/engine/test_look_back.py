"""Waits that look back, in a whole engine: what is kept, taken, dropped, and who arms them."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from engine.engine_fixture import EngineFixture, Stored, rows
from engine.test_language import record
from engine.test_replicas import handled
from lockstep.store import RecentEvents
from patience import until

Json = dict[str, Any]
shared_loop = pytest.mark.asyncio(loop_scope="session")


def gated(answer: str, gate: str, lookback: Json | str = "run", **wait: Any) -> list[Json]:
    """Waits for a gate, then for an answer on which it looks back."""
    return [
        {"wait_for_trigger": {"event": gate}},
        {"wait_for_trigger": {"event": answer, "lookback": lookback, **wait}},
        record("{{ wait.payload.n }}"),
    ]


def names() -> tuple[str, str]:
    """Event ids of a test alone: an answer and a gate."""
    own = uuid4().hex[:10]
    return f"a.{own}", f"g.{own}"


async def waiting(shared: EngineFixture, automation: Stored, paths: list[str]) -> str:
    """Wait until a run sleeps at these places, armed; give the run."""
    query = (
        "select w.run_id, w.action_path from waits w join runs r on r.id = w.run_id"
        " where r.automation_id = $1 and w.state = 'armed'"
    )
    found: list[Any] = []

    async def armed() -> bool:
        found[:] = await rows(shared.settings.postgres.dsn, query, automation.id)
        return sorted(row["action_path"] for row in found) == paths

    await until(armed)
    return str(found[0]["run_id"])


@shared_loop
async def test_an_answer_that_was_handled_before_the_wait_was_armed_is_taken(
    shared: EngineFixture,
) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate))
    await shared.publish(answer, {"n": 0})
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    for n in (1, 2):
        await shared.publish(answer, {"n": n})
    await handled(shared)
    await shared.publish(gate, {})
    (run_id,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == ["1"]
    await shared.assembly.hearing.decisions.settled()
    items = (await shared.call("events.why", event=answer, limit=3))["items"]
    assert [[c["outcome"] for c in item["consequences"]] for item in items] == [[], ["woke"], []]


@shared_loop
async def test_only_events_are_kept_on_which_some_wait_looks_back(shared: EngineFixture) -> None:
    answer, gate = names()
    plain = await shared.automation([record("x")])
    automation = await shared.automation(gated(answer, gate))
    kept = "select event_id from recent_events where event_id = any ($1::text[])"
    ids = [plain.event, automation.event, gate, answer]
    for event in ids:
        await shared.publish(event, {"n": 1})
    await handled(shared)
    dsn = shared.settings.postgres.dsn
    assert [row["event_id"] for row in await rows(dsn, kept, ids)] == [answer]


@shared_loop
async def test_a_version_that_is_replaced_is_looked_back_for_as_long_as_it_has_runs(
    shared: EngineFixture,
) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate))
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    stored = await shared.call("automations.get", id=automation.id)
    definition = {**stored["definition"], "actions": [record("new")]}
    await shared.call("automations.update", id=automation.id, definition=definition)
    await shared.publish(answer, {"n": 1})
    await handled(shared)
    await shared.publish(gate, {})
    (run_id,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == ["1"]


@shared_loop
async def test_a_wait_that_nobody_has_told_of_is_armed_by_the_sweep(shared: EngineFixture) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate))
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    await shared.publish(gate, {})
    run_id = await waiting(shared, automation, ["actions[1]"])
    lost = "update waits set state = 'looking', since_time = null where run_id = $1"
    await rows(shared.settings.postgres.dsn, lost, UUID(run_id))
    await shared.publish(answer, {"n": 7})
    (ended,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(ended)).recorded == ["7"]


@shared_loop
async def test_a_wait_for_which_events_were_dropped_fails_and_says_so(
    shared: EngineFixture,
) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate, timeout_seconds=600))
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    await shared.publish(answer, {"n": 1})
    await handled(shared)
    store = RecentEvents(shared.assembly.edge.database, 0)
    while await store.drop(1):
        pass
    await shared.publish(answer, {"n": 2})
    await handled(shared)
    await shared.publish(gate, {})
    (run_id,) = await shared.ended(automation.id, 1)
    seen = await automation.seen(run_id)
    assert seen.status == "failed"
    assert "look-back is incomplete" in seen.error


@shared_loop
async def test_an_event_from_before_the_run_does_not_end_its_wait_when_it_is_handled_late(
    shared: EngineFixture,
) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate))
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    await shared.publish(gate, {})
    run_id = await waiting(shared, automation, ["actions[1]"])
    # As if the run had been started by an event that is later in the stream.
    later = "update waits set since_time = since_time + interval '1 hour' where run_id = $1"
    dsn = shared.settings.postgres.dsn
    await rows(dsn, later, UUID(run_id))
    await shared.publish(answer, {"n": 1})
    await handled(shared)
    assert await rows(dsn, "select from waits where run_id = $1 and state = 'armed'", UUID(run_id))
    await shared.call("runs.cancel", id=run_id)
