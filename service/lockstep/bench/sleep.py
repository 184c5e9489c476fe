"""What sleeping costs: how late runs wake, what they take while they sleep, who slows whom down."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

import msgspec

from lockstep import bus
from lockstep.bench.environment import BenchEnvironment, BenchEvent, environment
from lockstep.bench.errors import BenchFailed
from lockstep.bench.figures import STEP, Figures, percentiles
from lockstep.bench.rows import Rows, rows
from lockstep.model.ids import uuid7
from lockstep_schemas.base import JsonObject
from lockstep_schemas.events import HEADER_CONTEXT_KEY

FEW: Final = 10  # what so many cost is nothing beside an engine
TRIES: Final = 50  # enough for a median
WARM_UP: Final = 10  # by then statements are prepared and caches filled
HOURS_SECONDS: Final = 10 * 3600  # longer than any benchmark: nothing of it comes due meanwhile
EACH: Final = 500  # runs of one automation; a mode counts at most 1000 active ones
ARMED_PER_SECOND: Final = 250  # what any machine should do
LATE_SECONDS: Final = 120.0  # lateness is milliseconds; only what hangs takes this
EFFECT_SECONDS: Final = 30.0  # an effect takes milliseconds; only what hangs takes this

DELAY: Final = {"delay": {"template": "trigger.payload.seconds"}}
WAIT: Final[JsonObject] = {
    "wait_for_trigger": {"event": "bench.wake", "timeout_seconds": HOURS_SECONDS}
}


async def sleepers(delays: int, spread_seconds: float, asleep: int) -> Figures:
    """Measure lateness with `delays` runs, and what it costs that `asleep` runs sleep."""
    late = await lateness(delays, spread_seconds)
    more = await among(asleep)
    return msgspec.convert(msgspec.to_builtins(late) | msgspec.to_builtins(more), Figures)


async def lateness(delays: int, spread_seconds: float) -> Figures:
    """Let runs sleep, due one after the other within `spread_seconds`, all armed before the first.

    What is measured: from when a delay is over until the action after it has been performed, both
    by the clock of the engine: timer, claim, walk, the checkpoint before the call, the call.
    """
    async with environment() as opened, opened.engine("engine"), rows(opened) as found:
        events = [f"bench.delay.{number}" for number in range(-(-delays // EACH))]
        for event in events:
            await opened.create(event, event, [DELAY, STEP])
        first = time.monotonic() + 5 + delays / ARMED_PER_SECOND
        await opened.publish(_delays(opened, events, delays, first, spread_seconds))
        try:
            await found.until("waiting", delays, first - time.monotonic())
        except TimeoutError:
            raise BenchFailed("the runs did not sleep before the first was due") from None
        remaining = first + spread_seconds - time.monotonic()
        await found.until("success", delays, remaining + LATE_SECONDS)
        late = [1000 * seconds for seconds in await found.lateness()]
    if len(late) != delays:
        raise BenchFailed(f"{len(late)} of {delays} runs went on after their delay")
    p50, p99 = percentiles(late)
    return Figures(lateness_p50_ms=round(p50, 1), lateness_p99_ms=round(p99, 1))


def _delays(
    opened: BenchEnvironment, events: list[str], delays: int, first: float, spread_seconds: float
) -> Iterator[BenchEvent]:
    subjects = [opened.connection.names.trigger(event) for event in events]
    for number in range(delays):
        seconds = first + number * spread_seconds / delays - time.monotonic()
        body = msgspec.json.encode({"seconds": round(max(0.0, seconds), 6)})
        yield BenchEvent(subjects[number % len(subjects)], body)


async def among(asleep: int) -> Figures:
    """Measure an engine that starts where few runs sleep, and one where `asleep` do.

    Both are there at the same time, each on servers of its own, and are woken in turn: a machine
    changes while one measures.
    """
    async with restarted(FEW) as few, restarted(asleep) as many:
        taken: tuple[list[float], list[float]] = ([], [])
        for number in range(WARM_UP + TRIES):
            for one, into in zip((few, many), taken, strict=True):
                seconds = await one.wake()
                if number >= WARM_UP:
                    into.append(1000 * seconds)
    return Figures(
        rss_none_mb=few.rss_mb,
        rss_sleepers_mb=many.rss_mb,
        start_seconds=round(few.start_seconds, 2),
        restart_seconds=round(many.start_seconds, 2),
        wake_p50_ms=round(median(taken[1]), 2),
        wake_ratio=round(median(taken[1]) / median(taken[0]), 3),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """An engine that was started where runs sleep, and is at rest."""

    opened: BenchEnvironment
    found: Rows
    feed: bus.Feed
    probe: str
    start_seconds: float
    rss_mb: float | None

    async def wake(self) -> float:
        """Wake a run by its event; give the seconds until its next action is noticed."""
        key = f"probe-{uuid7()}"
        await _publish(self.opened, "bench.probe", key)
        await self.found.asleep(self.probe, key)
        began = time.perf_counter()
        await _publish(self.opened, "bench.wake", key)
        async with asyncio.timeout(EFFECT_SECONDS):
            await anext(self.feed)
        return time.perf_counter() - began


@asynccontextmanager
async def restarted(asleep: int, wait: JsonObject = WAIT) -> AsyncIterator[Restarted]:
    """Let runs sleep for hours, or none, and start an engine.

    They wait for the event of the probe with context keys of their own. All are copied from one
    that the engine put to sleep, keys on the bus and all.
    """
    async with environment() as opened, rows(opened) as found:
        async with opened.engine("first"):
            sleeper = await opened.create("sleeper", "bench.sleep", [wait])
            effect = opened.connection.names.trigger("bench.effect")
            act = {"action": "nats.publish", "config": {"subject": effect, "payload": {}}}
            probe = await opened.create("probe", "bench.probe", [WAIT, act])
            run_id = None
            if asleep:
                await _publish(opened, "bench.sleep", "template")
                run_id = await found.asleep(sleeper, "template")
        if run_id is not None:
            await found.copy(run_id, asleep - 1)
            await found.show()
        await found.analyze()
        before = time.monotonic()
        async with opened.engine("second") as engine, bus.follow(opened.connection, effect) as feed:
            start_seconds = time.monotonic() - before
            await engine.rest()
            yield Restarted(
                opened=opened,
                found=found,
                feed=feed,
                probe=probe,
                start_seconds=start_seconds,
                rss_mb=engine.rss_mb(),
            )


async def _publish(opened: BenchEnvironment, event: str, context_key: str) -> None:
    subject = opened.connection.names.trigger(event)
    await opened.publisher.publish(subject, b"{}", {HEADER_CONTEXT_KEY: context_key})
