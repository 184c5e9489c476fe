"""Supervision: nothing that a service may meet ends the replica; it is told, and begins again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from lockstep.engine.services import PAUSE_SECONDS, Service
from lockstep.engine.supervision import FAILING, WELL_SECONDS, Supervised
from lockstep.model.errors import NobodyAnswers, ServerUnfit
from unit.fakes import Measured
from unit.moved import Background, moved, turns

Job = Callable[[], Awaitable[None]]


class Shaky:
    """A loop that fails so many times, and then goes on for ever."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.times, self.error = times, error or LookupError("a fault")
        self.begun: list[float] = []

    async def run(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        if len(self.begun) <= self.times:
            raise self.error
        await asyncio.Event().wait()


def supervised(run: Job, *, every: float | None = None) -> tuple[Supervised, Measured]:
    """A service that runs under supervision, and what is counted of it."""
    meter = Measured()
    one = Supervised(Service(name="shaky", run=run, every=every), meter)
    one.is_up = True
    return one, meter


def pauses(shaky: Shaky) -> list[float]:
    """How long it rested each time."""
    return [later - sooner for sooner, later in zip(shaky.begun, shaky.begun[1:], strict=False)]


@moved
async def test_a_service_that_raises_is_begun_again_later_and_later_up_to_a_limit() -> None:
    shaky = Shaky(12)
    one, meter = supervised(shaky.run)
    with capture_logs() as logs:
        async with Background(one.run()):
            await asyncio.sleep(12 * PAUSE_SECONDS)
    rests = pauses(shaky)
    assert len(rests) == 12
    assert 0.25 <= rests[0] <= 0.5
    assert all(rest >= PAUSE_SECONDS / 2 for rest in rests[7:])
    assert max(rests) <= PAUSE_SECONDS
    assert meter.services == {"shaky": 12}
    failed = [line for line in logs if line["event"] == "service.failed"]
    assert [line["failures"] for line in failed] == [*range(1, 13)]
    assert failed[0]["exc_info"]


@moved
async def test_a_service_that_must_not_rest_for_long_is_begun_again_within_its_time() -> None:
    shaky = Shaky(12)
    one = Supervised(Service(name="beat", run=shaky.run, most_pause_seconds=0.8), Measured())
    one.is_up = True
    with capture_logs():  # a traceback for each, which takes seconds to write
        async with Background(one.run()):
            await asyncio.sleep(12 * 0.8)
    assert len(pauses(shaky)) == 12
    assert max(pauses(shaky)) <= 0.8


@moved
async def test_what_fails_again_and_again_is_named_with_its_reason_until_it_runs_well() -> None:
    shaky = Shaky(FAILING)
    one, _ = supervised(shaky.run)
    async with Background(one.run()):
        while len(shaky.begun) < FAILING:
            assert not one.is_failing
            await asyncio.sleep(0.01)
        await turns()
        assert one.is_failing
        assert one.reason == "LookupError: a fault"
        while len(shaky.begun) == FAILING:
            await asyncio.sleep(0.01)
        await asyncio.sleep(WELL_SECONDS - 1)
        assert one.is_failing  # it may fail again in a moment
        await asyncio.sleep(2)
        assert not one.is_failing


@moved
async def test_after_a_good_while_the_pauses_are_short_again() -> None:
    begun: list[float] = []

    async def run() -> None:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) == 8:
            await asyncio.sleep(WELL_SECONDS + 1)
        raise LookupError("a fault")

    one, _ = supervised(run)
    async with Background(one.run()):
        while len(begun) < 9:
            await asyncio.sleep(0.1)
    assert begun[8] - begun[7] - WELL_SECONDS - 1 <= 0.5


@moved
async def test_a_loop_that_ends_by_itself_has_failed() -> None:
    ended: list[int] = []

    async def ends() -> None:
        ended.append(1)

    one, meter = supervised(ends)
    async with Background(one.run()):
        await asyncio.sleep(10)
        assert one.is_failing
    assert len(ended) > FAILING
    assert meter.services["shaky"] == len(ended)
    assert one.reason == "ServiceEnded: it ended by itself"


@moved
async def test_a_loop_that_ends_because_it_is_drained_has_not_failed() -> None:
    stopped = asyncio.Event()

    async def run() -> None:
        await stopped.wait()

    one, meter = supervised(run)
    async with Background(one.run()):
        await turns()
        one.end()
        stopped.set()
        await turns()
    assert meter.services == {"shaky": 0}


@moved
async def test_a_loop_that_fails_while_it_is_drained_is_begun_again_to_finish() -> None:
    shaky = Shaky(1)
    one, _ = supervised(shaky.run)
    one.end()
    async with Background(one.run()):
        await asyncio.sleep(1)
    assert len(shaky.begun) == 2


@moved
async def test_a_cancellation_that_is_not_ours_is_a_failure_too() -> None:
    """Something that a service waits for was cancelled: else it would be gone without a word."""
    shaky = Shaky(1, asyncio.CancelledError())
    one, meter = supervised(shaky.run)
    async with Background(one.run()):
        await asyncio.sleep(1)
        assert len(shaky.begun) == 2
    assert meter.services == {"shaky": 1}


@moved
async def test_a_service_that_is_cancelled_ends_whether_it_runs_or_rests() -> None:
    for seconds in (0.0, 0.1):
        one, _ = supervised(Shaky(1).run)
        running = asyncio.create_task(one.run())
        await asyncio.sleep(seconds)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


@moved
async def test_a_sweep_that_raises_is_done_again_and_one_that_passes_forgives() -> None:
    passes: list[float] = []

    async def sweep() -> None:
        passes.append(asyncio.get_running_loop().time())
        if len(passes) <= FAILING:
            raise LookupError("a fault")

    one, meter = supervised(sweep, every=5.0)
    async with Background(one.run()):
        while len(passes) < FAILING:
            await asyncio.sleep(0.01)
        await turns()
        assert one.is_failing
        while len(passes) == FAILING:
            await asyncio.sleep(0.01)
        await turns()
        assert not one.is_failing
        await asyncio.sleep(11)
    assert meter.services == {"shaky": FAILING}
    assert len(passes) == FAILING + 3


@moved
async def test_a_server_that_is_away_is_no_fault_of_the_service() -> None:
    shaky = Shaky(1, NobodyAnswers("away"))
    one, meter = supervised(shaky.run)
    with capture_logs() as logs:
        async with Background(one.run()):
            await asyncio.sleep(1)
    assert meter.services == {"shaky": 0}
    assert [line["event"] for line in logs] == ["service.delayed"]
    assert len(shaky.begun) == 2


@moved
async def test_a_start_waits_for_a_server_that_is_away_and_not_for_one_that_is_unfit() -> None:
    tries: list[float] = []

    async def start() -> None:
        tries.append(asyncio.get_running_loop().time())
        if len(tries) < 4:
            raise NobodyAnswers("away")
        if len(tries) == 5:
            raise ServerUnfit("too old")

    one = Supervised(Service(name="shaky", start=start), Measured())
    await one.start(lambda: False)
    assert len(tries) == 4
    with pytest.raises(ServerUnfit):
        await one.start(lambda: False)


@moved
async def test_a_start_does_not_wait_for_a_bus_that_is_lost_for_good() -> None:
    async def start() -> None:
        raise NobodyAnswers("away")

    one = Supervised(Service(name="shaky", start=start), Measured())
    with pytest.raises(NobodyAnswers):
        await one.start(lambda: True)
