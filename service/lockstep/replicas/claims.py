"""Who takes runs that have no owner, or one that is gone."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from lockstep.model.errors import Unavailable, is_away
from lockstep.model.runs import RunState
from lockstep.ports.clock import Clock
from lockstep.ports.places import Places, Reservation
from lockstep.ports.report import Report
from lockstep.ports.workers import Beat, Stale

TICK_SECONDS: Final = 1.0  # without a hint: what nobody has announced waits no longer
LOCKED_SECONDS: Final = 0.01  # some commits: whoever has locked the rows is done by then
ADOPT_SECONDS: Final = 0.9  # less than a tick, so that each tick looks for dead workers
FEW: Final = 32  # below so many free places a claim costs more than it brings
FEW_SECONDS: Final = 0.005  # a few commits, in which more places become free

log = structlog.get_logger()


class LostStates(Protocol):
    """Runs whose saved state is gone."""

    async def revive(self, run: RunState) -> int:
        """Give a run whose saved state is gone a row again; give about the seq of its events."""
        ...


class OwnerlessRuns(LostStates, Protocol):
    """The runs in the store that have no owner, or one that is gone."""

    async def claim_ready(self, limit: int, now: datetime) -> tuple[Sequence[RunState], bool]:
        """Take ready runs, fairly; say whether some were ready that others had locked."""
        ...

    async def adopt(self, limit: int, stale: Sequence[Beat]) -> Sequence[RunState]:
        """Take the runs of workers that are gone: of those, and of such as have no row."""
        ...

    async def count_ready(self, limit: int) -> int:
        """Count ready runs, up to `limit`."""
        ...


class Steadiness(Protocol):
    """The heartbeat of this worker."""

    @property
    def is_steady(self) -> bool:
        """Whether it has beaten without a miss for as long as makes others stale."""
        ...


class Valve(Protocol):
    """Lets events in, or holds them up."""

    def press(self, is_too_much: bool) -> None:
        """Take no more events, or take them again."""
        ...


class Claims:
    """Claims ready runs when a place is free, and adopts those of workers that are gone.

    Too many ready runs press on intake: it stops fetching until there are fewer, so that the
    backlog stays in the stream and publishers feel it.
    """

    def __init__(
        self,
        runs: OwnerlessRuns,
        places: Places,
        heartbeat: Steadiness,
        stale: Stale,
        clock: Clock,
        report: Report,
        valves: Sequence[Valve],
        max_ready_runs: int,
    ) -> None:
        self._runs, self._places, self._heartbeat, self._clock = runs, places, heartbeat, clock
        self._report, self._valves, self._stale = report, valves, stale
        self._max_ready_runs = max_ready_runs
        self._adopted_at, self._adopt_seconds = time.monotonic(), 0.0
        self._were_locked = False

    async def run(self) -> None:
        """Claim until cancelled: at once when a place is wanted, else once a second."""
        while True:
            try:
                await self.tick()
            except Unavailable as error:
                log.warning("service.delayed", error=error)
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._places.wanted.wait()
            except TimeoutError:
                continue
            if self._places.free < FEW <= self._places.active:
                # Nearly all places are taken: a claim for one costs as much as a claim for many.
                await asyncio.sleep(FEW_SECONDS)

    def look(self) -> None:
        """Look at once: a worker may be gone."""
        self._adopt_seconds = 0.0
        self._places.wanted.set()

    async def tick(self) -> None:
        """Take what there is, as far as there are places."""
        self._places.wanted.clear()
        now = time.monotonic()
        if self._heartbeat.is_steady and now - self._adopted_at >= self._adopt_seconds:
            self._adopted_at, self._adopt_seconds = now, ADOPT_SECONDS
            # After an outage of the store all heartbeats are stale for a moment; a worker that
            # was cut off too must not take that for the death of the others.
            adopted = await self._take(lambda n: self._runs.adopt(n, self._stale()))
            if adopted:
                log.info("runs.adopted", runs=adopted)
        asked, places = self._places.asked, self._share()
        self._were_locked = False
        taken = await self._take(self._claim)
        if self._were_locked:
            # Whoever has locked them may let them be: look again, and do not take them for gone.
            asyncio.get_running_loop().call_later(LOCKED_SECONDS, self._places.wanted.set)
        elif taken < places:
            self._places.none_ready(asked)
            self._press(False)
        else:
            limit = self._max_ready_runs
            self._press(await self._runs.count_ready(limit) >= limit)

    async def _claim(self, limit: int) -> Sequence[RunState]:
        runs, self._were_locked = await self._runs.claim_ready(limit, self._clock.now())
        return runs

    def _press(self, is_too_much: bool) -> None:
        for valve in self._valves:
            valve.press(is_too_much)

    def _share(self) -> int:
        """Half of the free places: the rest is for what is launched while a claim is asked."""
        return (self._places.free + 1) // 2

    async def _take(self, claim: Callable[[int], Awaitable[Sequence[RunState]]]) -> int:
        return await take_up(
            claim, self._runs, self._places.reserve(self._share()), self._places, self._report
        )


async def take_up(
    claim: Callable[[int], Awaitable[Sequence[RunState]]],
    states: LostStates,
    reserved: Reservation,
    places: Places,
    report: Report,
) -> int:
    """Fill reserved places with runs that are claimed; give how many.

    One that breaks half-way leaves runs that are owned and have no place: they are found unwalked,
    and given up. A run whose saved state is gone is never offered before it has a row again.

    Raises:
        Unavailable: A server is away.
        Exception: The first that the row of a run has failed with; the others have their places.
    """
    whole: list[RunState] = []
    first: Exception | None = None
    runs: Sequence[RunState] = ()
    try:
        if reserved.places:
            runs = await claim(reserved.places)
        for run in runs:
            try:
                if not run.has_frames:
                    run.event_seq = await states.revive(run)  # so that it can be failed
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("run.unwalked", run_id=str(run.id), automation_id=run.automation_id)
                first = first or error
            else:
                whole.append(run)
        if runs:
            # What the last owner has committed and not sent goes first: the order holds.
            await report.take_over([str(run.id) for run in runs])
    finally:
        places.offer(whole, reserved)
    if first is not None:
        raise first
    return len(runs)
