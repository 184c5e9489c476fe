"""Holds over replicas: what comes out is what the times of events say, whoever handles them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from engine.engine_fixture import EngineFixture, Stored, engine_fixture, rows, settings_of
from lockstep.embedded import Servers
from patience import until

KEYS = [f"k{number}" for number in range(20)]
ORDERS = {"on off": [], "on": [1], "on off on": [3], "off on on off on": [5]}
TRIGGER = {
    "for": {"hours": 1}, "filter": "trigger.payload.on", "cancel_filter": "not trigger.payload.on",
}  # fmt: skip
RECORD = {"id": "r", "action": "test.record", "config": {"value": "{{ trigger.payload.n }}"}}


@pytest.fixture
async def replicas(servers: Servers, dsn: str) -> AsyncIterator[list[EngineFixture]]:
    """Two replicas that take events one by one, so that each handles any of them at any time."""
    settings = settings_of(servers.nats_url, dsn, f"h{uuid4().hex[:12]}", batch_size=1)
    async with AsyncExitStack() as opened:
        yield [await opened.enter_async_context(engine_fixture(settings)) for _ in range(2)]


async def holding(engine: EngineFixture) -> Stored:
    """Store an automation that holds."""
    event = f"h.e{uuid4().hex[:8]}"
    return await engine.automation([RECORD], triggers=[{"event": event, **TRIGGER}], event=event)


async def received(dsn: str, event: str, number: int) -> None:
    """Wait until so many events are handled."""

    async def all_of_them() -> bool:
        found = await rows(dsn, "select from receipts where event_id = $1", event)
        return len(found) == number

    await until(all_of_them)


async def end_all(engine: EngineFixture, dsn: str) -> None:
    """Let the time of all holds be over."""
    found = await rows(dsn, "update timers set due_at = clock_timestamp() returning id")
    await engine.assembly.pipelines.timers.ring([row["id"] for row in found])


@pytest.mark.parametrize("order", ORDERS)
async def test_two_replicas_hold_what_the_times_of_events_say(
    replicas: list[EngineFixture], dsn: str, order: str
) -> None:
    first, second = replicas
    automation = await holding(first)
    events = list(enumerate(order.split(), 1))
    for n, what in events:
        await asyncio.gather(
            *(
                first.publish(automation.event, {"on": what == "on", "n": n}, key=key)
                for key in KEYS
            )
        )
    await received(dsn, automation.event, len(events) * len(KEYS))
    held = await rows(dsn, "select context_key from timers")
    wanted = KEYS if ORDERS[order] else []
    assert sorted(row["context_key"] for row in held) == sorted(wanted)
    await asyncio.gather(end_all(first, dsn), end_all(second, dsn))
    runs = "select from runs where automation_id = $1 and finished_at is not null"

    async def ended() -> bool:
        return len(await rows(dsn, runs, automation.id)) == len(wanted)

    await until(ended)
    records = [record.value for one in replicas for record in one.recorder.records]
    assert sorted(records) == [str(n) for n in ORDERS[order] for _ in KEYS]
    assert await rows(dsn, "select from timers") == []


async def test_disabling_forgets_what_was_kept_so_that_enabling_begins_anew(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first, second = replicas
    automation = await holding(first)
    await first.publish(automation.event, {"on": True, "n": 1}, key="k")
    await first.publish(automation.event, {"on": True, "n": 2}, key="k")
    await received(dsn, automation.event, 2)
    assert len(await rows(dsn, "select from hold_events")) == 1
    await second.call("automations.toggle", id=automation.id, enabled=False)
    assert await rows(dsn, "select from hold_events") == await rows(dsn, "select from timers") == []
    await second.call("automations.toggle", id=automation.id, enabled=True)
    await first.publish(automation.event, {"on": True, "n": 3}, key="k")
    await received(dsn, automation.event, 3)
    await end_all(first, dsn)
    (run_id,) = await first.ended(automation.id, 1)
    assert (await first.call("runs.get", id=run_id))["run"]["status"] == "success"
    records = [record.value for one in replicas for record in one.recorder.records]
    assert records == ["3"]


async def test_what_is_kept_goes_once_it_is_old_and_the_stream_has_nothing_older(
    replicas: list[EngineFixture], dsn: str
) -> None:
    first, second = replicas
    automation = await holding(first)
    for key, order in (("ended", "on on off"), ("stands", "on on on")):
        for n, what in enumerate(order.split(), 1):
            await first.publish(automation.event, {"on": what == "on", "n": n}, key=key)
    await received(dsn, automation.event, 6)
    kept = "select context_key from hold_events"
    await first.assembly.pipelines.hold_upkeep.compact()
    assert len(await rows(dsn, kept)) == 5, "what is young stays"
    await rows(dsn, "update hold_events set time = time - interval '5 minutes'")
    await rows(dsn, "update timers set event_time = event_time - interval '5 minutes'")
    upkeeps = (one.assembly.pipelines.hold_upkeep.compact() for one in (first, second))
    await asyncio.gather(*upkeeps)
    assert await rows(dsn, kept) == []
    (hold,) = await rows(dsn, "select context_key from timers")
    assert hold["context_key"] == "stands"
