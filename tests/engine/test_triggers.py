"""Between an event and its runs: windows, holds, schedules, starts by hand, and why not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from engine.test_language import record
from engine.test_replicas import handled, settled
from lockstep import bus
from lockstep.embedded import Servers
from lockstep.engine.parts import Seams
from lockstep.model.messages import Message
from lockstep.model.verdicts import Verdict
from lockstep.ports.bus import MessageSource
from patience import patience, until

Json = dict[str, Any]
shared_loop = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Three engines in one process, each with connections of its own."""
    settings = settings_of(servers.nats_url, dsn, f"t{uuid4().hex[:10]}", batch_size=8)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(engine_fixture(settings)) for _ in range(3)]


async def triggered(
    engine_fixture: EngineFixture, trigger: Json, actions: list[Json], **fields: Any
) -> Stored:
    """Store an automation with a trigger of its own."""
    event = trigger.setdefault("event", f"e.t{uuid4().hex[:10]}")
    definition = {
        "name": "triggered",
        "mode": "parallel",
        "max_runs": 1000,
        "triggers": [trigger],
        "actions": actions,
        **fields,
    }
    stored = await engine_fixture.call(
        "automations.create", name="triggered", definition=definition
    )
    return Stored(engine_fixture, stored["id"], event)


async def refused(engine_fixture: EngineFixture, endpoint: str, **request: Any) -> str:
    """Call an endpoint that must refuse; give the code."""
    return (await engine_fixture.ask(endpoint, **request)).error_code


@pytest.mark.parametrize(("refire", "runs"), [("once", 1), ("every", 56)])
async def test_a_window_counts_each_event_once_over_all_replicas(
    replicas: list[EngineFixture], dsn: str, refire: str, runs: int
) -> None:
    window = {"count": 5, "minutes": 60, "refire": refire}
    automation = await triggered(replicas[0], {"window": window}, [])
    for _ in range(3):
        await asyncio.gather(
            *(replicas[n % 3].publish(automation.event, {}, key="k") for n in range(20))
        )
    await replicas[0].publish(automation.event, {}, key="another")
    await handled(replicas[0])
    await settled(dsn, runs)
    (count,) = await rows(dsn, "select count(*) from runs")
    assert count[0] == runs
    (kept,) = await rows(
        dsn, "select cardinality(moments) from occurrences order by 1 desc limit 1"
    )
    assert kept[0] == 60, "each event is noted, and once"


async def test_a_hold_starts_one_run_over_all_replicas(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first = replicas[0]
    automation = await triggered(
        first, {"for": {"seconds": 1}}, [record("{{ trigger.payload.n }}")]
    )
    await first.publish(automation.event, {"n": "first"}, key="k")
    await handled(first)
    await asyncio.gather(
        *(replicas[n % 3].publish(automation.event, {"n": n}, key="k") for n in range(10))
    )
    await settled(dsn, 1)
    await asyncio.gather(*(one.assembly.loops.wakeups.sweep() for one in replicas))
    records = [record.value for one in replicas for record in one.recorder.records]
    assert records == ["first"]
    assert await rows(dsn, "select from timers") == []


async def test_a_tick_of_a_schedule_starts_one_run_over_all_replicas(
    replicas: list[EngineFixture], dsn: str
) -> None:
    automation = await triggered(
        replicas[0],
        {"event": "automation.interval", "config": {"intervalSeconds": 1}},
        [record("{{ trigger.payload.firedAt }}")],
    )
    await settled(dsn, 4)
    await replicas[1].call("automations.toggle", id=automation.id, enabled=False)
    assert await rows(dsn, "select from timers") == []
    records = [record.value for one in replicas for record in one.recorder.records]
    assert len(records) >= 4
    assert len(set(records)) == len(records)


@shared_loop
async def test_a_hold_is_disarmed_by_its_cancel_filter_and_by_disabling(
    shared: EngineFixture,
) -> None:
    trigger = {
        "for": {"minutes": 10},
        "filter": "trigger.payload.open",
        "cancel_filter": "not trigger.payload.open",
    }
    automation = await triggered(shared, trigger, [record("x")])
    armed = "select context_key from timers where automation_id = $1"
    dsn = shared.settings.postgres.dsn

    async def holds(wanted: list[str]) -> None:
        async with patience():
            while True:
                found = sorted(row["context_key"] for row in await rows(dsn, armed, automation.id))
                if found == wanted:
                    return
                await asyncio.sleep(0.02)

    for key in ("a", "b"):
        await shared.publish(automation.event, {"open": True}, key=key)
    await holds(["a", "b"])
    await shared.publish(automation.event, {"open": False}, key="a")
    await holds(["b"])
    await shared.call("automations.toggle", id=automation.id, enabled=False)
    await holds([])


@shared_loop
@pytest.mark.parametrize("how", ["changed", "disabled"])
async def test_why_an_event_starts_nothing_is_told_when_its_hold_is_disarmed_by_a_change(
    shared: EngineFixture, how: str
) -> None:
    automation = await triggered(shared, {"for": {"hours": 1}}, [record("x")])
    dsn = shared.settings.postgres.dsn
    for n in range(2):
        await shared.publish(automation.event, {"n": n})
        await handled(shared)
    definition = (await shared.call("automations.get", id=automation.id))["definition"]
    if how == "changed":
        definition["triggers"][0]["for"] = {"minutes": 30}
        await shared.call("automations.update", id=automation.id, definition=definition)
        reason = "version 2 has another trigger in the place of this one, or none"
    else:
        await shared.call("automations.toggle", id=automation.id, enabled=False)
        reason = "the automation was disabled"
    for table in ("timers", "hold_events"):
        found = await rows(dsn, f"select from {table} where automation_id = $1", automation.id)
        assert found == []
    async with patience():
        await shared.assembly.hearing.decisions.settled()
    last, first = (await shared.call("events.why", event=automation.event))["items"]
    assert [one["detail"] for one in first["consequences"]] == [
        "armed for 3600 s", f"disarmed: {reason}"
    ]  # fmt: skip
    assert [one["detail"] for one in last["consequences"]] == [
        "armed already: the first deadline and payload stay",
        f"dropped with the hold before it: {reason}",
    ]


@shared_loop
async def test_a_schedule_that_is_not_changed_keeps_its_next_tick(shared: EngineFixture) -> None:
    cron = {"event": "automation.cron", "config": {"cronPattern": "0 3 * * *"}}
    automation = await triggered(shared, cron, [])
    timers = "select id, due_at, schedule from timers where automation_id = $1"
    dsn = shared.settings.postgres.dsn
    (before,) = await rows(dsn, timers, automation.id)
    stored = await shared.call("automations.get", id=automation.id)
    definition = {**stored["definition"], "actions": [record("new")]}
    await shared.call("automations.update", id=automation.id, definition=definition)
    assert await rows(dsn, timers, automation.id) == [before]
    definition["triggers"] = [{"event": "automation.cron", "config": {"cronPattern": "@hourly"}}]
    await shared.call("automations.update", id=automation.id, definition=definition)
    (after,) = await rows(dsn, timers, automation.id)
    assert after["id"] != before["id"]
    await shared.call("automations.delete", id=automation.id)
    assert await rows(dsn, timers, automation.id) == []


@shared_loop
async def test_a_schedule_that_can_never_tick_is_refused_with_its_place(
    shared: EngineFixture,
) -> None:
    for config, place in (
        ({"cronPattern": "0 0 30 2 *"}, "triggers.0.config.cronPattern"),
        ({"cronPattern": "@daily", "timezone": "Mars"}, "triggers.0.config.timezone"),
        ({"cronPatern": "@daily"}, "triggers.0.config"),
    ):
        definition = {"name": "x", "triggers": [{"event": "automation.cron", "config": config}]}
        found = await shared.call("automations.validate", definition=definition)
        assert place in {".".join(map(str, issue["path"])) for issue in found["errors"]}


@shared_loop
async def test_a_start_by_hand_passes_over_the_filter_and_honours_the_mode(
    shared: EngineFixture,
) -> None:
    automation = await triggered(
        shared, {"filter": "false"}, [record("x"), {"delay": {"seconds": 3600}}],
        mode="single", conditions=["false"],
    )  # fmt: skip
    first = await shared.call("runs.start", automation_id=automation.id, context_key="k")
    assert first["status"] == "waiting"
    second = await shared.call("runs.start", automation_id=automation.id)
    assert second["status"] == "skipped"
    run = (await shared.call("runs.get", id=first["run_id"]))["run"]
    assert (run["context_key"], run["trigger_event_id"]) == ("k", automation.event)
    assert await refused(shared, "runs.start", automation_id="nobody") == "404"
    wrong = {"automation_id": automation.id, "trigger_id": "nope"}
    assert await refused(shared, "runs.start", **wrong) == "400"
    await shared.call("automations.toggle", id=automation.id, enabled=False)
    assert await refused(shared, "runs.start", automation_id=automation.id) == "404"


TICKING: dict[str, Json] = {
    "automation.cron": {"cronPattern": "0 4 1 1 *"},
    "automation.interval": {"intervalSeconds": 31_536_000},
    "automation.template": {"value_template": "false", "intervalSeconds": 86_400},
}


@shared_loop
@pytest.mark.parametrize("event", TICKING)
async def test_a_start_by_hand_of_a_schedule_has_the_payload_of_a_tick(
    shared: EngineFixture, event: str
) -> None:
    trigger = {"event": event, "config": TICKING[event]}
    says = record("{{ trigger.payload.firedAt == trigger.time }} {{ trigger.payload.note }}")
    automation = await triggered(shared, trigger, [says])
    given = {"firedAt": "1999-12-31T23:00:00.000Z"}
    found = []
    for payload in ({}, given, {"note": "x"}):
        request = {"automation_id": automation.id, "payload": payload}
        started = await shared.call("runs.start", **request)
        found.append(await automation.seen(started["run_id"]))
    payloads = [one.detail.run.trigger_payload for one in found]
    assert [sorted(one) for one in payloads] == [["firedAt"], ["firedAt"], ["firedAt", "note"]]
    assert payloads[1] == given
    assert [one.recorded for one in found] == [["true "], ["false "], ["true x"]]
    assert {one.detail.run.context_key for one in found} == {None}
    wrong = {"automation_id": automation.id, "payload": {"firedAt": 7}}
    assert await refused(shared, "runs.start", **wrong) == "400"


@shared_loop
async def test_a_start_by_hand_has_the_payload_of_a_tick_only_where_its_trigger_ticks(
    shared: EngineFixture,
) -> None:
    ticks = {"event": "automation.cron", "config": TICKING["automation.cron"], "id": "nightly"}
    automation = await triggered(
        shared, {}, [record("{{ trigger.id }}")], triggers=[{"event": "e.first"}, ticks]
    )
    first = await shared.call("runs.start", automation_id=automation.id)
    named = await shared.call("runs.start", automation_id=automation.id, trigger_id="nightly")
    first_run, named_run = [
        (await automation.seen(one["run_id"])).detail.run for one in (first, named)
    ]
    assert (first_run.trigger_id, first_run.trigger_payload) == ("e_first", {})
    assert (named_run.trigger_id, list(named_run.trigger_payload)) == ("nightly", ["firedAt"])


@shared_loop
async def test_a_start_that_takes_long_is_answered_while_it_runs(shared: EngineFixture) -> None:
    slow = {"action": "test.slow", "config": {"seconds": 0.3}}
    automation = await triggered(shared, {}, [slow], mode="queued")
    starts = [shared.call("runs.start", automation_id=automation.id) for _ in range(2)]
    statuses = sorted([one["status"] for one in await asyncio.gather(*starts)])
    assert statuses == ["pending", "success"]


@shared_loop
async def test_why_says_which_gate_refused_an_event_and_what_it_started(
    shared: EngineFixture,
) -> None:
    event = f"e.why{uuid4().hex[:8]}"
    trigger = {"event": event, "filter": "trigger.payload.n > 1"}
    automation = await triggered(
        shared, trigger, [{"wait_for_trigger": {"event": event}}],
        mode="single", conditions=["trigger.payload.n > 2"],
    )  # fmt: skip

    async def waits() -> bool:
        dsn = shared.settings.postgres.dsn
        return bool(await rows(dsn, "select from waits where event_id = $1", event))

    for n in (1, 2, 3, 4):
        await shared.publish(event, {"n": n}, **{"Nats-Msg-Id": f"{event}-{n}"})
        await handled(shared)
        if n == 3:
            await until(waits)
    await shared.ended(automation.id, 2)
    await shared.assembly.hearing.decisions.settled()

    async def outcomes(of: str) -> list[tuple[str, str | None]]:
        items = (await shared.call("events.why", event=of))["items"]
        return [(one["outcome"], one["gate"]) for one in items[0]["consequences"]]

    later = ("passed_over", "wait_later")  # by the run that the third one started
    assert await outcomes(f"{event}-1") == [("refused", "filter"), later]
    assert await outcomes(f"{event}-2") == [("refused", "conditions"), later]
    assert await outcomes(f"{event}-3") == [("started", None)]
    assert sorted(await outcomes(f"{event}-4")) == [("skipped", "mode"), ("woke", "wait")]
    assert len((await shared.call("events.why", event=event, limit=3))["items"]) == 3
    assert (await shared.call("events.why", event="never.seen"))["items"] == []


async def test_a_lane_is_not_held_up_by_what_waits_outside_of_it(
    servers: Servers, dsn: str
) -> None:
    settings = settings_of(servers.nats_url, dsn, f"l{uuid4().hex[:10]}")
    nats = msgspec.structs.replace(settings.nats, lanes=["fast"])
    lock = Lock()
    settings = msgspec.structs.replace(settings, nats=nats)
    async with engine_fixture(settings, seams=Seams(source=lock.around)) as only:
        automation = await only.automation([record("{{ trigger.payload.n }}")])
        await automation.run({"n": "first"})
        for n in range(50):
            await only.publish(automation.event, {"n": n})
        subject = only.connection.names.trigger(automation.event, "fast")
        await bus.Publisher(only.connection).publish(subject, b'{"n": "fast"}', {})
        await only.ended(automation.id, 2)
        assert [one.value for one in only.recorder.records] == ["first", "fast"]
        lock.opened.set()
        await only.ended(automation.id, 52)


class Lock:
    """Lets one batch of events without a lane through, then none until it is opened."""

    def __init__(self) -> None:
        self.opened, self.sources = asyncio.Event(), 0

    def around(self, inner: MessageSource) -> MessageSource:
        """Stand before the first consumer group, that without a lane."""
        self.sources += 1
        return inner if self.sources > 1 else Locked(self, inner)


@dataclass
class Locked:
    """See `Lock`."""

    lock: Lock
    inner: MessageSource
    batches: int = 0

    async def batch(self, limit: int) -> Sequence[Message]:
        """See `ports.bus.MessageSource`."""
        if self.batches:
            await self.lock.opened.wait()
        self.batches += 1
        return await self.inner.batch(limit)

    async def settle(self, message: Message, verdict: Verdict) -> None:
        """See `ports.bus.MessageSource`."""
        await self.inner.settle(message, verdict)

    def pause(self) -> None:
        """See `ports.bus.MessageSource`."""
        self.inner.pause()

    def resume(self) -> None:
        """See `ports.bus.MessageSource`."""
        self.inner.resume()
