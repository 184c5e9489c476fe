"""The walks of a worker: a bounded number of tasks, each walking one run."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.program import Program
from lockstep.model.runs import OwnerLost, RunState
from lockstep.walk.frames import FramesNewer, RootFrame
from lockstep.walk.walk import Parts, Walk
from lockstep.walk.walker import walk_run

RETRY_SECONDS: Final = 1.0
NOTHING: Final = Program(
    triggers=(),
    conditions=(),
    actions=(),
    mode="parallel",
    max_runs=1,
    max_duration_seconds=None,
    by_context_key=False,
)

log = structlog.get_logger()

Programs = Callable[[str, int], Awaitable[Program]]


class Walkers:
    """Places for walks, and the walks that are on them."""

    def __init__(self, parts: Parts, programs: Programs, limit: int) -> None:
        self._parts, self._programs = parts, programs
        self._free = limit
        self._reserved = 0
        self._walks: dict[UUID, Walk] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()
        self._giving_up = False
        self._woken: set[UUID] = set()  # runs of ours of which something has fired
        self._heard = asyncio.Event()
        self._asked = self._answered = 0
        self.wanted = asyncio.Event()  # set when a place is free and runs may be ready for it

    @property
    def free(self) -> int:
        """Places that are neither taken nor reserved; none once the worker gives up."""
        return 0 if self._giving_up else self._free

    @property
    def active(self) -> int:
        """How many runs are being walked."""
        return len(self._tasks)

    def reserve(self, wanted: int) -> int:
        """Hold up to `wanted` free places; give how many."""
        places = min(wanted, self.free)
        self._free -= places
        self._reserved += places
        return places

    def offer(self, runs: Sequence[RunState], reserved: int) -> None:
        """Walk these, on places that were reserved; give back the places that are left."""
        self._reserved -= reserved
        self._free += reserved - len(runs)
        self._want()
        for run in runs:
            if self._group is None:
                raise RuntimeError("walks are offered to a pool that does not run")
            # Named by its automation: what is logged of a run always says which that is.
            task = self._group.create_task(self._walk(run), name=run.automation_id)
            self._tasks[run.id] = task
            # Not in the coroutine: a task that is cancelled before its first step never runs it.
            task.add_done_callback(functools.partial(self._ended, run.id))

    def expect_ready(self) -> None:
        """Say that there are ready runs without an owner: they are claimed when a place is free."""
        self._asked += 1
        self._want()

    @property
    def is_behind(self) -> bool:
        """Whether runs may be ready that no place was free for, or are being taken up."""
        return self._asked > self._answered or self._reserved > 0

    def _want(self) -> None:
        if self._asked > self._answered and self.free:
            self.wanted.set()

    @property
    def asked(self) -> int:
        """How often ready runs were announced; to be given back to `none_ready`."""
        return self._asked

    def none_ready(self, asked: int) -> None:
        """Say that a claim found fewer ready runs than it had places.

        What was announced since `asked` was read, that claim may not have seen.
        """
        self._answered = max(self._answered, asked)
        if self._asked == self._answered:
            self.wanted.clear()

    def wake(self, run_ids: Iterable[UUID]) -> None:
        """Say that something has fired of runs; those that are not walked here are passed over."""
        self._woken.update(run_id for run_id in run_ids if run_id in self._tasks)
        if self._woken:
            self._heard.set()

    def stop(self, run_ids: Iterable[UUID]) -> None:
        """Stop the walks of runs that were ended from outside; what executes is cancelled."""
        for run_id in run_ids:
            task = self._tasks.get(run_id)
            if task is not None:
                log.info("run.stopped", run_id=str(run_id), automation_id=task.get_name())
                task.cancel()

    async def run(self) -> None:
        """Hold the walks until cancelled, and tell them what has fired meanwhile."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._started.set()
            while True:
                await self._heard.wait()
                self._heard.clear()
                await self._tell_walks()

    async def _tell_walks(self) -> None:
        """Read what has fired of the runs that were woken, all at once."""
        woken = [run_id for run_id in self._woken if run_id in self._walks]
        self._woken -= set(woken) | (self._woken - self._tasks.keys())
        if not woken:
            return
        try:
            found = await self._parts.history.fired(woken)
        except Unavailable:
            return  # the sweep says it again
        for run_id, fired in found.items():
            walk = self._walks.get(run_id)
            if walk is not None:
                walk.hear(fired)

    async def started(self) -> None:
        """Return when runs can be offered."""
        await self._started.wait()

    async def give_up(self, grace_seconds: float) -> int:
        """Let every walk stop between two actions and release its run; give how many did not."""
        self._giving_up = True
        for walk in self._walks.values():
            walk.giving_up = True
        tasks = list(self._tasks.values())
        if not tasks:
            return 0
        _, left = await asyncio.wait(tasks, timeout=grace_seconds)
        for task in left:
            task.cancel()
        return len(left)

    async def _walk(self, run: RunState) -> None:
        # For what plug-ins and libraries log in this task and in those that it begins.
        bind_contextvars(run_id=str(run.id), automation_id=run.automation_id)
        walk = Walk.make(run, NOTHING, self._parts, RootFrame())
        try:
            walk = await self._open(run)
            walk.giving_up = self._giving_up
            self._walks[run.id] = walk
            if run.id in self._woken:
                self._heard.set()  # it was woken while it was taken up
            await walk_run(walk)
        except FramesNewer as error:
            # It stays ours, and as it is, until this replica ends: whoever adopts it may know more.
            walk.log.warning("run.held", error=str(error))
        except EngineError as error:
            await _fail(walk, str(error))
        except Exception as error:
            log.exception("run.failed", run_id=str(run.id), automation_id=run.automation_id)
            await _fail(walk, f"{type(error).__name__}: {error}")

    def _ended(self, run_id: UUID, task: asyncio.Task[None]) -> None:
        if self._tasks.get(run_id) is task:  # not taken up again already
            self._walks.pop(run_id, None)
            del self._tasks[run_id]
        self._free += 1
        self._want()

    async def _open(self, run: RunState) -> Walk:
        """Take up a run; wait where the store is away."""
        if not run.has_frames:
            raise EngineError("the saved state of the run is gone; start it again if it should run")
        while True:
            try:
                program = await self._programs(run.automation_id, run.version)
                return await Walk.open(run, program, self._parts)
            except Unavailable:
                await asyncio.sleep(RETRY_SECONDS)


async def _fail(walk: Walk, text: str) -> None:
    """End a run whose walk ended in an exception: nothing may stay stuck."""
    try:
        walk.root, walk.is_sound = RootFrame(last_seq=walk.root.last_seq), False
        now = walk.parts.clock.now()
        walk.journal.steps.clear()
        walk.journal.artifacts.clear()
        walk.journal.waits.clear()
        walk.journal.event("failed", "failed", now, error=text)
        await walk.end("failed", None, text)
    except OwnerLost as error:
        walk.log.info("run.lost", epoch=error.epoch)
