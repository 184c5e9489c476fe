"""Measures matching among many automations, and whether a flood for one holds up another."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Final

import msgspec

from lockstep import bus, store
from lockstep.bench.environment import (
    BenchEnvironment,
    BenchEvent,
    consumer,
    environment,
    environment_with_engine,
)
from lockstep.bench.figures import LIMIT_SECONDS, STEP, Figures, until_handled
from lockstep.model.ids import uuid7

FILTER: Final = "trigger.payload.n > 5 and trigger.payload.kind == 'wanted'"
WARM_EVENTS: Final = 2000  # each of the automations that are asked, 50 at most, has had 40 by then
BURNING: Final = "trigger.payload.n | map('string') | map('json') | join | length > 0"
BURNED: Final = 20_000  # items: some 20 ms, twice what a filter has
BURNERS: Final = 64  # events: more than are judged until they are counted again
BUDGET_RATIO: Final = 5  # what may become of the latency of another automation,
BUDGET_MS: Final = 50  # with these: some evaluations that are on their way when it comes
PROBES: Final = 20  # as few as have a 95th percentile
PAUSE_SECONDS: Final = 0.05  # so that probes are spread over a second of the flood


async def match(events: int, automations: Sequence[int] = (10, 1_000, 10_000)) -> Figures:
    """Publish events whose one automation refuses them, among more and more automations.

    In each round the sizes are measured in turn; the cost of an event is the median of three.
    """
    taken: dict[int, list[float]] = {count: [] for count in automations}
    for _ in range(3):
        for count in automations:
            taken[count].append(await _cost(events, count))
    costs = {count: median(seconds) for count, seconds in taken.items()}
    few, many = costs[automations[0]], costs[automations[-1]]
    return Figures(
        match_us={str(count): round(1e6 * cost, 1) for count, cost in costs.items()},
        match_ratio=round(many / few, 3),
    )


async def _cost(events: int, automations: int) -> float:
    """Give the seconds that an event takes."""
    async with environment() as opened:
        await _insert(opened, automations)
        async with opened.engine("engine", ENGINE__JUDGEMENTS="0"):
            subjects = [
                opened.connection.names.trigger(f"bench.many.{number}")
                for number in range(0, automations, max(1, automations // 50))
            ]
            body = msgspec.json.encode({"n": 6, "kind": "other"})
            await _handle(opened, subjects, body, WARM_EVENTS)
            began = time.perf_counter()
            await _handle(opened, subjects, body, events)
            return (time.perf_counter() - began) / events


async def _handle(
    opened: BenchEnvironment, subjects: Sequence[str], body: bytes, count: int
) -> None:
    await opened.publish(BenchEvent(subjects[n % len(subjects)], body) for n in range(count))
    await until_handled(opened)


async def _insert(opened: BenchEnvironment, automations: int) -> None:
    """Store automations without the API: ten thousand calls would be a benchmark of their own."""
    definitions = [
        {
            "name": f"many {number}",
            "triggers": [{"event": f"bench.many.{number}", "filter": FILTER}],
            "actions": [STEP],
        }
        for number in range(automations)
    ]
    database = await store.Store.connect(opened.servers.postgres_dsn, 4)
    try:
        await store.AutomationStore(database).insert_many(
            [(str(uuid7()), str(one["name"]), one) for one in definitions]
        )
    finally:
        await database.close()


async def fairness(runs: int) -> Figures:
    """Flood one automation; time how long the events of another wait for their effect."""
    async with environment_with_engine() as opened:
        names = opened.connection.names
        slow = {"action": "test.slow", "config": {"seconds": 0.05}}
        effect = names.trigger("bench.effect")
        act = {"action": "nats.publish", "config": {"subject": effect, "payload": {}}}
        await opened.create("flood", "bench.flood", [slow])
        await opened.create("other", "bench.other", [act])
        alone = await _probes(opened, effect)
        flood = names.trigger("bench.flood")
        async with asyncio.TaskGroup() as group:
            group.create_task(opened.publish(BenchEvent(flood) for _ in range(runs)))
            beside = await _probes(opened, effect)
    return Figures(
        alone_p50_ms=round(median(alone), 2),
        beside_flood_p50_ms=round(median(beside), 2),
        beside_flood_p95_ms=round(quantiles(beside, n=20, method="inclusive")[18], 2),
    )


async def budget(probes: int) -> Figures:
    """Have one automation use up the processor time of its filter on every event; time another.

    Events that burn are always there, but no more than wait in the engine.
    """
    async with environment_with_engine() as opened:
        names = opened.connection.names
        effect, burn = names.trigger("bench.effect"), names.trigger("bench.burn")
        act = {"action": "nats.publish", "config": {"subject": effect, "payload": {}}}
        await opened.create("burner", "bench.burn", [STEP], BURNING)
        await opened.create("other", "bench.other", [act])
        await _probes(opened, effect, PROBES)  # they warm up
        alone = await _probes(opened, effect, probes)
        body = msgspec.json.encode({"n": [*range(BURNED)]})

        async def burning() -> None:
            while True:
                found = await consumer(opened.connection)
                if found["num_pending"] + found["num_ack_pending"] < BURNERS:
                    await opened.publish(BenchEvent(burn, body) for _ in range(BURNERS))
                await asyncio.sleep(PAUSE_SECONDS)

        task = asyncio.create_task(burning())
        try:
            await _probes(opened, effect, PROBES)  # until it is known to be slow
            beside = await _probes(opened, effect, probes)
        finally:
            task.cancel()
    quiet, burdened = (quantiles(one, n=100, method="inclusive")[98] for one in (alone, beside))
    return Figures(
        budget_alone_p99_ms=round(quiet, 2),
        budget_beside_p50_ms=round(median(beside), 2),
        budget_beside_p99_ms=round(burdened, 2),
        budget_ratio=round(burdened / quiet, 2),
        budget_is_held=burdened <= BUDGET_RATIO * quiet + BUDGET_MS,
    )


async def _probes(opened: BenchEnvironment, effect: str, probes: int = PROBES) -> list[float]:
    """Publish events one at a time; give the milliseconds until each has its effect."""
    cause = opened.connection.names.trigger("bench.other")
    taken = []
    async with bus.follow(opened.connection, effect) as feed:
        for _ in range(probes):
            began = time.perf_counter()
            await opened.publisher.publish(cause, b"{}", {})
            async with asyncio.timeout(LIMIT_SECONDS):
                await anext(feed)
            taken.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return taken
