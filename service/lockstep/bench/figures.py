"""What is measured: runs per second, and the time from an event to its first effect."""

import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from statistics import median, quantiles
from typing import Final

import msgspec

from lockstep import bus
from lockstep.bench.environment import (
    BenchEnvironment,
    BenchEvent,
    consumer,
    environment_with_engine,
)
from lockstep.bench.errors import BenchFailed

LIMIT_SECONDS: Final = 300.0  # the default sizes take seconds; only what hangs takes this
STEP: Final = {"action": "test.log", "config": {"message": "x"}}


class Figures(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What was measured. Rates are per second, times in milliseconds."""

    runs_per_second: float | None = None
    floor_runs_per_second: float | None = None
    share_of_floor: float | None = None
    no_io_runs_per_second: float | None = None
    io_runs_per_second: float | None = None
    io_ratio: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    nomatch_events_per_second: float | None = None
    lateness_p50_ms: float | None = None
    lateness_p99_ms: float | None = None
    timeout_p50_ms: float | None = None
    timeout_p99_ms: float | None = None
    hold_p50_ms: float | None = None
    hold_p99_ms: float | None = None
    expiry_seconds: float | None = None
    expiry_looks: float | None = None
    unawaited_events_per_second: float | None = None
    armed_events_per_second: float | None = None
    armed_ratio: float | None = None
    looking_back_events_per_second: float | None = None
    looking_back_ratio: float | None = None
    rss_none_mb: float | None = None
    rss_sleepers_mb: float | None = None
    start_seconds: float | None = None
    restart_seconds: float | None = None
    wake_p50_ms: float | None = None
    wake_ratio: float | None = None
    takeover_seconds: float | None = None
    loop_iterations_per_second: float | None = None
    loop_ratio: float | None = None
    match_us: dict[str, float] | None = None  # per event, by the number of automations
    match_ratio: float | None = None
    alone_p50_ms: float | None = None
    beside_flood_p50_ms: float | None = None
    beside_flood_p95_ms: float | None = None
    budget_alone_p99_ms: float | None = None
    budget_beside_p50_ms: float | None = None
    budget_beside_p99_ms: float | None = None
    budget_ratio: float | None = None
    budget_is_held: bool | None = None


def percentiles(taken: Sequence[float]) -> tuple[float, float]:
    """Give the median and the 99th percentile."""
    cuts = quantiles(taken, n=100, method="inclusive")
    return cuts[49], cuts[98]


def here() -> tuple[str, dict[str, str]]:
    """Describe the machine, and the versions that matter."""
    names = ("lockstep", "nats-py", "asyncpg", "msgspec")
    cores = len([line for line in _cpuinfo() if line.startswith("processor")])
    return (
        f"{machine()}, {cores or '?'} cores",
        {"python": python_version(), **{name: version(name) for name in names}},
    )


def _cpuinfo() -> Sequence[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


async def throughput(runs: int, rounds: int) -> Figures:
    """Measure runs of three steps, and the floor, in turn: a machine changes while one measures.

    Each figure is the median of the rounds; the share is the median of the shares.
    """
    engine, floor, shares = [], [], []
    for _ in range(rounds):
        floor.append(await _rate(runs, floor=True))
        engine.append(await _rate(runs, floor=False))
        shares.append(engine[-1] / floor[-1])
    return Figures(
        runs_per_second=round(median(engine), 1),
        floor_runs_per_second=round(median(floor), 1),
        share_of_floor=round(median(shares), 3),
    )


async def io(runs: int, rounds: int) -> Figures:
    """Measure what it costs to keep what went into steps: with nothing kept, and as usual."""
    without, kept = [], []
    for _ in range(rounds):
        without.append(await _rate(runs, floor=False, ENGINE__KEEP_IO_BYTES="0"))
        kept.append(await _rate(runs, floor=False))
    return Figures(
        no_io_runs_per_second=round(median(without), 1),
        io_runs_per_second=round(median(kept), 1),
        io_ratio=round(median(a / b for a, b in zip(kept, without, strict=True)), 3),
    )


async def _rate(runs: int, *, floor: bool, **settings: str) -> float:
    """Publish `runs` events; give runs per second until the last run event."""
    async with environment_with_engine(floor=floor, **settings) as opened:
        # A mode counts at most 1000 active runs: several automations share the load.
        events = [f"bench.run.{number}" for number in range(max(2, runs // 500))]
        if not floor:
            for event in events:
                await opened.create(event, event, [STEP, STEP, STEP])
        await _until_ended(opened, events, min(runs, 500))
        began = time.perf_counter()
        await _until_ended(opened, events, runs)
        return runs / (time.perf_counter() - began)


async def nomatch(events: int) -> Figures:
    """Publish events that no automation asks for; time until all are acknowledged."""
    async with environment_with_engine() as opened:
        await opened.create("other", "bench.other", [STEP])
        subject = opened.connection.names.trigger("bench.unwanted")
        await _publish(opened, [subject], min(events, 1000))
        await until_handled(opened)
        began = time.perf_counter()
        await _publish(opened, [subject], events)
        await until_handled(opened)
        seconds = time.perf_counter() - began
    return Figures(nomatch_events_per_second=round(events / seconds, 1))


async def until_handled(opened: BenchEnvironment) -> None:
    """Return when all events that were published are acknowledged."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            found = await consumer(opened.connection)
            if not found["num_pending"] and not found["num_ack_pending"]:
                return
            await asyncio.sleep(0.005)


async def latency(events: int) -> Figures:
    """Publish events one at a time; time each until its first action reaches a subscriber."""
    async with environment_with_engine() as opened:
        subject = opened.connection.names.trigger("bench.effect")
        act = {"action": "nats.publish", "config": {"subject": subject, "payload": {}}}
        await opened.create("latency", "bench.cause", [act])
        cause = opened.connection.names.trigger("bench.cause")
        taken = []
        async with bus.follow(opened.connection, subject) as feed:
            for number in range(events + 20):
                began = time.perf_counter()
                await opened.publisher.publish(cause, b"{}", {})
                async with asyncio.timeout(LIMIT_SECONDS):
                    await anext(feed)
                if number >= 20:  # the first ones warm up
                    taken.append((time.perf_counter() - began) * 1000)
    p50, p99 = percentiles(taken)
    return Figures(p50_ms=round(p50, 2), p99_ms=round(p99, 2))


async def _until_ended(opened: BenchEnvironment, events: Sequence[str], runs: int) -> None:
    """Publish events, and return when as many runs have told that they succeeded."""
    names = opened.connection.names
    subjects = [names.trigger(event) for event in events]
    async with bus.follow(opened.connection, names.run("*", "*"), limit=20 * runs) as feed:
        publishing = asyncio.create_task(_publish(opened, subjects, runs))
        ended = 0
        async with asyncio.timeout(LIMIT_SECONDS):
            while ended < runs:
                what = (await anext(feed)).subject.rpartition(".")[2]
                if what in {"failed", "skipped", "cancelled"}:
                    raise BenchFailed(f"a run of the benchmark ended as {what}")
                ended += what == "succeeded"
        await publishing
        if feed.dropped or feed.gaps:
            raise BenchFailed("the benchmark could not read the run events quickly enough")


async def _publish(opened: BenchEnvironment, subjects: Sequence[str], count: int) -> None:
    await opened.publish(BenchEvent(subjects[number % len(subjects)]) for number in range(count))
