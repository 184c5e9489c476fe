"""Waits that look back, in a whole engine: what is kept, taken, dropped, and who arms them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_replicas import handled
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.events import Poison
from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict
from lockstep.ports.pipeline import EventPipeline
from lockstep.store import RecentEvents
from patience import briefly, until

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
    told = [[(c["outcome"], c["gate"]) for c in item["consequences"]] for item in items]
    # The oldest came before the event that started the run.
    assert told == [[], [("woke", "wait")], [("passed_over", "wait_later")]]


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
@pytest.mark.parametrize(("own", "other"), [("A", "B"), ("A", None), (None, "B")])
async def test_events_that_were_dropped_of_other_keys_are_not_missed(
    shared: EngineFixture, own: str | None, other: str | None
) -> None:
    answer, gate = names()
    automation = await shared.automation(gated(answer, gate, timeout_seconds=600))
    await shared.publish(automation.event, {}, key=own)
    await waiting(shared, automation, ["actions[0]"])
    for n in range(3):
        await shared.publish(answer, {"n": n}, key=other)
    await handled(shared)
    store = RecentEvents(shared.assembly.edge.database, 0)
    while await store.drop(1):
        pass
    await shared.publish(answer, {"n": 7}, key=own)
    await handled(shared)
    await shared.publish(gate, {}, key=own)
    (run_id,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == ["7"]


async def replaced(shared: EngineFixture, automation: Stored, ago: timedelta) -> None:
    """Replace a version by one that looks back on nothing, some time ago; clean up."""
    stored = await shared.call("automations.get", id=automation.id)
    definition = {**stored["definition"], "actions": [record("new")]}
    await shared.call("automations.update", id=automation.id, definition=definition)
    dsn = shared.settings.postgres.dsn
    created = "created_at = created_at - $2::interval"
    earlier = f"update automation_versions set {created} where automation_id = $1"
    await rows(dsn, earlier, automation.id, ago)
    await RecentEvents(shared.assembly.edge.database, 1 << 28).forget(datetime.now(UTC), 1000)
    await shared.automation([record("x")])  # the automations are read again


@shared_loop
@pytest.mark.parametrize("begins", ["failed", "start"])
async def test_a_run_of_a_version_that_was_replaced_looks_back_when_it_is_tried_again(
    shared: EngineFixture, begins: str
) -> None:
    answer, _ = names()
    wait = {"event": answer, "lookback": "run", "timeout_seconds": 1}
    automation = await shared.automation(
        [{"wait_for_trigger": wait}, record("{{ wait.payload.n }}")]
    )
    await shared.publish(automation.event, {})
    (failed,) = await shared.ended(automation.id, 1)
    assert "timed out" in (await automation.seen(failed)).error
    await replaced(shared, automation, timedelta(days=6, hours=23))
    await shared.publish(answer, {"n": 5})
    await handled(shared)
    again = await shared.call("runs.retry", id=failed, **{"from": begins})
    await shared.ended(automation.id, 2)
    assert (await automation.seen(again["run_id"])).recorded == ["5"]


@shared_loop
@pytest.mark.parametrize("lookback", ["run", {"minutes": 5}])
async def test_a_run_of_a_version_that_was_replaced_long_ago_says_that_it_cannot_look_back(
    shared: EngineFixture, lookback: Json | str
) -> None:
    answer, _ = names()
    wait = {"event": answer, "lookback": lookback, "timeout_seconds": 1}
    automation = await shared.automation([{"wait_for_trigger": wait}, record("x")])
    await shared.publish(automation.event, {})
    (failed,) = await shared.ended(automation.id, 1)
    await replaced(shared, automation, timedelta(days=7, hours=1))
    await shared.publish(answer, {"n": 5})
    await handled(shared)
    again = await shared.call("runs.retry", id=failed, **{"from": "failed"})
    await shared.ended(automation.id, 2)
    seen = await automation.seen(again["run_id"])
    assert seen.status == "failed"
    assert "look-back is incomplete" in seen.error


@shared_loop
@pytest.mark.parametrize("lookback", ["run", {"days": 7}])
async def test_what_was_handled_before_anybody_looked_back_on_it_is_not_known_and_fails_nothing(
    shared: EngineFixture, lookback: Json | str
) -> None:
    answer, gate = names()
    await shared.publish(answer, {"n": 1})
    await handled(shared)
    automation = await shared.automation(gated(answer, gate, lookback))
    await shared.publish(automation.event, {})
    await waiting(shared, automation, ["actions[0]"])
    await shared.publish(answer, {"n": 2})
    await handled(shared)
    await shared.publish(gate, {})
    (run_id,) = await shared.ended(automation.id, 1)
    assert (await automation.seen(run_id)).recorded == ["2"]


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


class Aside:
    """Puts messages aside that say so: they are delivered, and not handled until it is told."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._inner: EventPipeline | None = None

    def around(self, inner: EventPipeline) -> "Aside":
        """Be between a replica and its events."""
        self._inner = inner
        return self

    async def receive(self, batch: Sequence[Message]) -> Sequence[tuple[Message, Verdict | Poison]]:
        """See `ports.pipeline.EventPipeline`."""
        assert self._inner is not None
        self.messages += [one for one in batch if "Late" in one.headers]
        rest = [one for one in batch if "Late" not in one.headers]
        return await self._inner.receive(rest) if rest else []

    async def handle(self, only: EngineFixture) -> None:
        """Handle what was put aside, and acknowledge it."""
        assert self._inner is not None
        for message, verdict in await self._inner.receive(self.messages):
            assert not isinstance(verdict, Poison)
            await only.assembly.loops.lanes[0].puller.settle(message, verdict)


@pytest.mark.parametrize("is_armed", [True, False], ids=["armed before", "armed after"])
async def test_a_newer_event_that_is_handled_first_waits_for_the_older_one(
    servers: Servers, dsn: str, is_armed: bool
) -> None:
    aside, (answer, gate) = Aside(), names()
    settings = settings_of(servers.nats_url, dsn, f"l{uuid4().hex[:10]}")
    async with engine_fixture(settings, seams=Seams(events=aside.around)) as only:
        automation = await only.automation(gated(answer, gate, timeout_seconds=600))
        await only.publish(automation.event, {})
        await waiting(only, automation, ["actions[0]"])
        if is_armed:
            await only.publish(gate, {})
            await waiting(only, automation, ["actions[1]"])
        await only.publish(answer, {"n": 1}, Late="yes")
        await until(lambda: aside.messages)
        await only.publish(answer, {"n": 2})
        await until(lambda: rows(dsn, "select from recent_events"))
        if not is_armed:
            await only.publish(gate, {})
        looking = "select from waits where state = 'looking'"
        await until(lambda: rows(dsn, looking))
        with pytest.raises(TimeoutError):
            async with briefly(0.5):
                await only.ended(automation.id, 1)
        assert await rows(dsn, looking)
        await aside.handle(only)
        (run_id,) = await only.ended(automation.id, 1)
        assert (await automation.seen(run_id)).recorded == ["1"]


async def test_a_wait_that_was_parked_takes_what_has_come_meanwhile(
    servers: Servers, dsn: str
) -> None:
    answer, gate = names()
    settings = settings_of(servers.nats_url, dsn, f"l{uuid4().hex[:10]}")
    async with engine_fixture(settings) as only:
        automation = await only.automation(gated(answer, gate))
        await only.publish(automation.event, {})
        await waiting(only, automation, ["actions[0]"])
        await only.publish(gate, {})
        await waiting(only, automation, ["actions[1]"])
        parked = (
            "update waits set state = 'parked', parked_at = now(), parked_reason = 'r',"
            " parked_tried = '{}'"
        )
        await rows(dsn, parked)
        await only.publish(answer, {"n": 1})
        await handled(only)
        await only.assembly.loops.parked.sweep()
        (run_id,) = await only.ended(automation.id, 1)
        assert (await automation.seen(run_id)).recorded == ["1"]
