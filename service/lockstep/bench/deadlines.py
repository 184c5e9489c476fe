"""What deadlines cost: how late they are kept, many at once, and events beside waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Final

import msgspec

from lockstep import bus
from lockstep.bench.environment import BenchEnvironment, BenchEvent, environment
from lockstep.bench.errors import BenchFailed
from lockstep.bench.figures import Figures, percentiles, until_handled
from lockstep.bench.rows import rows
from lockstep.bench.sleep import ARMED_PER_SECOND, EACH, LATE_SECONDS, WAIT, Restarted, restarted
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import HEADER_CONTEXT_KEY

SLACK_SECONDS: Final = 5  # for whatever is under way when the first is due
LOOK_SECONDS: Final = 12  # an engine looks every ten seconds for what comes near
SHOWN_PER_SECOND: Final = 150  # keys of waits on the bus, what any machine should do
KEYS: Final = 100  # of events that nobody waits for
LOOKS_KEPT: Final = 100_000  # until they are counted, some MiB

# Those that look back cost with each event, so they are as many fewer.
LOOKING_SHARE: Final = 100
LOOKING: Final[JsonObject] = {"wait_for_trigger": {**WAIT["wait_for_trigger"], "lookback": "run"}}


async def timeouts(count: int, spread_seconds: float) -> Figures:
    """Let waits and holds, as many of each, expire one after the other within `spread_seconds`.

    What is measured: from the deadline of a wait until its run has gone on; from that of a hold,
    which counts from the time of its event, until its run has begun. Nothing else happens.
    """
    half = count // 2
    seconds = ceil(spread_seconds + count / ARMED_PER_SECOND) + SLACK_SECONDS
    wait = {"event": "bench.never", "timeout_seconds": seconds, "continue_on_timeout": True}
    async with environment() as opened, opened.engine("engine"), rows(opened) as found:
        events = [f"bench.wait.{number}" for number in range(ceil(half / EACH))]
        for event in events:
            await opened.create(event, event, [{"wait_for_trigger": wait}])
        await opened.create("bench.hold", "bench.hold", [], held=seconds)
        began = time.monotonic()
        for number in range(half):
            await asyncio.sleep(began + number * spread_seconds / half - time.monotonic())
            await _publish(opened, events[number % len(events)], f"wait {number}")
            await _publish(opened, "bench.hold", f"hold {number}")
        await found.until("success", 2 * half, seconds + LATE_SECONDS)
        waited = [1000 * late for late in await found.timeouts(seconds)]
        held = [1000 * late for late in await found.holds(seconds, "bench.hold")]
    if (len(waited), len(held)) != (half, half):
        raise BenchFailed(f"{len(waited)} waits and {len(held)} holds of {half} each have expired")
    timeout_p50, timeout_p99 = percentiles(waited)
    hold_p50, hold_p99 = percentiles(held)
    return Figures(
        timeout_p50_ms=round(timeout_p50, 1),
        timeout_p99_ms=round(timeout_p99, 1),
        hold_p50_ms=round(hold_p50, 1),
        hold_p99_ms=round(hold_p99, 1),
    )


async def expiry(waits: int) -> Figures:
    """Let waits for one event id, each with a context key of its own, expire in the same second.

    What is measured: from the beginning of that second until the last run has ended, and how often
    the engine has looked whether the stream has an event of this id that is not handled yet.
    """
    seconds = LOOK_SECONDS + waits / SHOWN_PER_SECOND
    async with environment() as opened, rows(opened) as found:
        async with opened.engine("first"):
            sleeper = await opened.create("sleeper", "bench.sleep", [WAIT])
            await _publish(opened, "bench.sleep", "template")
            run_id = await found.asleep(sleeper, "template")
        await found.copy(run_id, waits - 1)
        await found.analyze()
        async with looks_at(opened, "bench.wake") as looks, opened.engine("second") as engine:
            await engine.rest()
            begins = await found.let_expire(seconds)
            await found.show()
            await found.until("failed", waits, seconds + LATE_SECONDS)
            taken = await found.ended_since(begins)
    return Figures(expiry_seconds=round(taken, 2), expiry_looks=looks.count)


@dataclass
class Looks:
    """How often the stream was asked for messages of a subject."""

    count: int = 0

    async def run(self, feed: bus.Feed, subject: str) -> None:
        """Count requests for messages of a subject, until cancelled."""
        async for note in feed:
            asked: JsonObject = msgspec.json.decode(note.body or b"{}")
            self.count += asked.get("next_by_subj") == subject


@asynccontextmanager
async def looks_at(opened: BenchEnvironment, event: str) -> AsyncIterator[Looks]:
    """Count how often the stream is asked for what there is of an event."""
    names, looks = opened.connection.names, Looks()
    asked = f"$JS.API.STREAM.MSG.GET.{names.triggers_stream}"
    async with bus.follow(opened.connection, asked, limit=LOOKS_KEPT) as feed:
        task = asyncio.create_task(looks.run(feed, names.trigger(event)))
        try:
            yield looks
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if feed.dropped or feed.gaps:
            raise BenchFailed("the benchmark could not count the looks quickly enough")


async def armed(events: int, asleep: int, rounds: int) -> Figures:
    """Publish events that end no wait, though others of their id are awaited, and none.

    Three engines are there at the same time, each on servers of its own, and have their turn in
    each round: one where nothing waits, one where `asleep` runs wait, one where a hundredth of
    those do and look back. Rates are medians, ratios medians of the ratios to the first one.
    """
    few = max(1, asleep // LOOKING_SHARE)
    async with restarted(0) as none, restarted(asleep) as many, restarted(few, LOOKING) as looking:
        rates: list[tuple[float, float, float]] = []
        for number in range(rounds + 1):
            taken = [await _rate(one, events) for one in (none, many, looking)]
            if number:  # the first round warms up
                rates.append((taken[0], taken[1], taken[2]))
    return Figures(
        unawaited_events_per_second=round(median(one[0] for one in rates), 1),
        armed_events_per_second=round(median(one[1] for one in rates), 1),
        armed_ratio=round(median(one[1] / one[0] for one in rates), 3),
        looking_back_events_per_second=round(median(one[2] for one in rates), 1),
        looking_back_ratio=round(median(one[2] / one[0] for one in rates), 3),
    )


async def _rate(one: Restarted, events: int) -> float:
    subject = one.opened.connection.names.trigger("bench.wake")
    began = time.perf_counter()
    await one.opened.publish(
        BenchEvent(subject, headers={HEADER_CONTEXT_KEY: f"nobody {number % KEYS}"})
        for number in range(events)
    )
    await until_handled(one.opened)
    return events / (time.perf_counter() - began)


async def _publish(opened: BenchEnvironment, event: str, context_key: str) -> None:
    subject = opened.connection.names.trigger(event)
    await opened.publisher.publish(subject, b"{}", {HEADER_CONTEXT_KEY: context_key})
