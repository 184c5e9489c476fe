"""A loop that stands still is noticed, with what it stood in."""

import asyncio
import threading

from structlog.testing import capture_logs

from lockstep.telemetry import LoopWatch
from unit.fakes import Measured

STALL_SECONDS = 0.02  # of the watch under test: what stands on purpose stands ten times as long


def stand_still() -> None:
    """Hold the thread up."""
    threading.Event().wait(10 * STALL_SECONDS)


def test_a_stall_is_counted_and_told_with_the_functions_that_it_stood_in() -> None:
    meter = Measured()

    async def watched() -> None:
        task = asyncio.create_task(LoopWatch(meter, STALL_SECONDS).run())
        await asyncio.sleep(0)
        stand_still()
        while not meter.stalls:
            await asyncio.sleep(STALL_SECONDS)
        task.cancel()

    with capture_logs() as logs:
        asyncio.run(watched())
    assert meter.stalls[0] >= STALL_SECONDS
    told = [line for line in logs if line["event"] == "loop.stalled"]
    assert "stand_still (telemetry/test_telemetry_loop_watch.py:" in told[0]["where"]
    assert " < " in told[0]["where"]


def test_a_loop_that_goes_on_is_not_told_of() -> None:
    meter = Measured()

    async def watched() -> None:
        task = asyncio.create_task(LoopWatch(meter, 1e6).run())
        await asyncio.sleep(0.2)
        task.cancel()

    with capture_logs() as logs:
        asyncio.run(watched())
    assert (meter.stalls, logs) == ([], [])
