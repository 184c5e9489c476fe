"""How long runs stand still when the worker that executes them is killed."""

import asyncio
import signal
import time
from pathlib import Path
from statistics import median
from typing import Final

from lockstep.bench.environment import BenchEvent, environment
from lockstep.bench.figures import Figures
from lockstep.catalog import Recorder

RUNS: Final = 20  # each is seen to go on; so few that to start them again takes no time
LIMIT_SECONDS: Final = 60.0  # four times what a takeover may take; only what hangs takes this
ASK_SECONDS: Final = 0.01  # the figure is some seconds, and given to hundredths
STANDING_SECONDS: Final = 3.0  # both engines are there before the kill: three heartbeats
SLOW: Final = {"action": "test.slow", "config": {"seconds": 3600}}


async def takeover(rounds: int) -> Figures:
    """Kill an engine that executes runs, with another beside it; the median of the rounds.

    What is measured: from the kill until the other has called the action of each of the runs again.
    """
    taken = [await _once() for _ in range(rounds)]
    return Figures(takeover_seconds=round(median(taken), 2))


async def _once() -> float:
    async with environment() as opened:
        first, second = opened.folder / "first.calls", opened.folder / "second.calls"
        leaving = {"ENGINE__STUB_RECORD_FILE": str(first)}
        # It never ends in good order with its endless actions: no grace.
        staying = {"ENGINE__STUB_RECORD_FILE": str(second), "ENGINE__GRACE_SECONDS": "0"}
        async with opened.engine("first", **leaving) as killed:
            await opened.create("slow", "bench.slow", [SLOW])
            subject = opened.connection.names.trigger("bench.slow")
            await opened.publish(BenchEvent(subject) for _ in range(RUNS))
            await _until_called(first)
            async with opened.engine("second", **staying):
                await asyncio.sleep(STANDING_SECONDS)
                began = time.perf_counter()
                await killed.end(signal.SIGKILL)
                await _until_called(second)
                return time.perf_counter() - began


async def _until_called(record: Path) -> None:
    """Return when an engine has called the action of every run."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while _called(record) < RUNS:  # noqa: ASYNC110 - it asks a file
            await asyncio.sleep(ASK_SECONDS)


def _called(record: Path) -> int:
    return len({call.run_id for call in Recorder.read(record)})
