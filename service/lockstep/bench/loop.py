"""What it costs to go on in a loop that sleeps at each iteration, early and late in it."""

from statistics import median
from typing import Final

from lockstep.bench.environment import BenchEvent, environment
from lockstep.bench.errors import BenchFailed
from lockstep.bench.figures import Figures
from lockstep.bench.rows import rows

WARM_UP: Final = 50  # iterations; by then statements are prepared and caches filled
EDGE: Final = 500  # iterations at either end that are compared: enough for a median
SECONDS_EACH: Final = 0.1  # at most; an iteration takes milliseconds, only what hangs takes this
DELAY: Final = {"delay": {"template": "0.001"}}


async def loop(iterations: int) -> Figures:
    """Walk one run that sleeps a millisecond in each iteration: stored, woken, claimed, resumed.

    What is measured: from the beginning of an iteration to that of the next one.
    """
    async with environment() as opened, opened.engine("engine"), rows(opened) as found:
        repeat = {"repeat": {"count": iterations, "sequence": [DELAY]}}
        await opened.create("loop", "bench.loop", [repeat])
        await opened.publish(iter([BenchEvent(opened.connection.names.trigger("bench.loop"))]))
        await found.until("success", 1, 60 + iterations * SECONDS_EACH)
        taken = await found.iterations()
    if len(taken) != iterations - 1:
        raise BenchFailed(f"{len(taken) + 1} of {iterations} iterations were noted")
    warm_up = min(WARM_UP, iterations // 10)
    measured = taken[warm_up:]
    edge = min(EDGE, max(1, len(measured) // 2))
    return Figures(
        loop_iterations_per_second=round(len(measured) / sum(measured), 1),
        loop_ratio=round(median(measured[-edge:]) / median(measured[:edge]), 3),
    )
