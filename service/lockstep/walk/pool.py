"""The walks of a worker: a task for each run that has a place."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from lockstep.model.automations import DefinitionLost
from lockstep.model.errors import EngineError, Unavailable
from lockstep.model.foreign import guard_tasks, reason_of, running
from lockstep.model.parked import why
from lockstep.model.program import Program
from lockstep.model.runs import OwnerLost, RunState
from lockstep.ports.apart import apart
from lockstep.walk.execution import Execution, WalkParts
from lockstep.walk.frames import RootFrame, StateLost
from lockstep.walk.interpreter import walk_run
from lockstep.walk.places import Places

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


class WalkPool:
    """Walks the runs that places are given to, each as a task."""

    def __init__(self, places: Places, parts: WalkParts, programs: Programs) -> None:
        self._places, self._parts, self._programs = places, parts, programs
        self._walks: dict[UUID, Execution] = {}
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._cancelled: set[asyncio.Task[None]] = set()  # by us: any other goes on as a failure
        self._task: asyncio.Task[object] | None = None
        self._giving_up = self._ending = False

    async def run(self) -> None:
        """Walk until cancelled, and tell walks what has fired meanwhile."""
        self._task, self._ending = running(), False
        guard_tasks()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear())
            try:
                while True:
                    await self._places.news.wait()
                    self._places.news.clear()
                    self._begin(group)
            finally:
                self._ending = True  # from here on the group cancels all walks

    async def give_up(self) -> None:
        """Let every walk stop between two actions and release its run; return when all have."""
        self._giving_up = True
        self._places.close()
        for walk in self._walks.values():
            walk.giving_up = True
        await self._places.emptied()

    @property
    def active(self) -> int:
        """How many runs are being walked."""
        return len(self._tasks)

    def _begin(self, group: asyncio.TaskGroup) -> None:
        for run in self._places.take_offered():
            older = self._tasks.get(run.id)
            if older is not None:
                self._cancel(older)  # it has lost the run, and has not seen that yet
            # Named by its automation: what is logged of a run always says which that is.
            task = group.create_task(self._walk(run), name=run.automation_id)
            self._tasks[run.id] = task
            # Not in the coroutine: a task that is cancelled before its first step never runs it.
            task.add_done_callback(functools.partial(self._ended, run))
        for run_id in self._places.take_stopped():
            stopped = self._tasks.get(run_id)
            if stopped is not None:
                log.info("run.stopped", run_id=str(run_id), automation_id=stopped.get_name())
                self._cancel(stopped)

    def _cancel(self, task: asyncio.Task[None]) -> None:
        self._cancelled.add(task)
        task.cancel()

    def _is_ours(self) -> bool:
        """Whether this walk ends because we, or who runs the pool, want it to."""
        task = running()
        return (
            task is None  # thrown away with its loop
            or task in self._cancelled
            or self._ending
            or self._task is None
            or self._task.cancelling() > 0
        )

    async def _hear(self) -> None:
        """Read what has fired of the runs that were woken, all at once; tell their walks."""
        while True:
            await self._places.heard.wait()
            self._places.heard.clear()
            woken = self._places.take_woken(
                set(self._walks), self._tasks.keys() - self._walks.keys()
            )
            if not woken:
                continue
            try:
                await apart(woken, self._tell, _untold)
            except Unavailable as error:
                log.info("notice.lost", error=error)  # the sweep says it again

    async def _tell(self, woken: Sequence[UUID]) -> None:
        for run_id, fired in (await self._parts.history.fired(woken)).items():
            walk = self._walks.get(run_id)
            if walk is not None:
                walk.hear(fired)

    async def _walk(self, run: RunState) -> None:
        try:
            await self._walked(run)
        except BaseException as error:
            if not isinstance(error, Exception) and self._is_ours():
                raise
            # It is ours, and not walked: whoever looks for such runs takes it again. To let this
            # go further would end all the walks beside it.
            log.exception(
                "run.unwalked", run_id=str(run.id), automation_id=run.automation_id, error=error
            )

    async def _walked(self, run: RunState) -> None:
        # For what plug-ins and libraries log in this task and in those that it begins.
        bind_contextvars(run_id=str(run.id), automation_id=run.automation_id)
        walk: Execution | None = None  # until it is taken up
        try:
            try:
                walk = await self._open(run)
            except (StateLost, DefinitionLost):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, another replica may read it
                await self._park(run, error)
                return
            walk.giving_up = self._giving_up
            self._walks[run.id] = walk
            if self._places.is_woken(run.id):
                self._places.heard.set()  # it was woken while it was taken up
            await walk_run(walk)
        except EngineError as error:
            await _fail(walk or self._unopened(run), str(error))
        except BaseException as error:
            if not isinstance(error, Exception):
                if self._is_ours():
                    raise
                _take_back()
            log.exception("run.failed", run_id=str(run.id), automation_id=run.automation_id)
            await _fail(walk or self._unopened(run), reason_of(error))

    def _unopened(self, run: RunState) -> Execution:
        """Give the walk of a run that cannot be taken up, to end it."""
        return Execution.make(run, NOTHING, self._parts, RootFrame())

    def _ended(self, run: RunState, task: asyncio.Task[None]) -> None:
        self._cancelled.discard(task)
        if self._tasks.get(run.id) is task:  # not taken up again already
            self._walks.pop(run.id, None)
            del self._tasks[run.id]
        self._places.release(run)

    async def _open(self, run: RunState) -> Execution:
        """Take up a run; wait where the store is away."""
        if not run.has_frames:
            raise StateLost("the saved state of the run is gone; start it again if it should run")

        async def opened() -> Execution:
            program = await self._programs(run.automation_id, run.version)
            return await Execution.open(run, program, self._parts)

        return await self._parts.patience.with_store(opened)

    async def _park(self, run: RunState, error: Exception) -> None:
        """Put a run aside that this replica cannot take up; wait where the store is away."""
        await self._parts.patience.with_store(
            functools.partial(self._parts.history.park, run, why(error))
        )


def _untold(run_id: UUID, error: Exception) -> None:
    """Tell that nobody can read what has fired of a run; the sweep tries it again."""
    log.error("notice.lost", run=str(run_id), exc_info=error)


def _take_back() -> None:
    """Take back what code of a plug-in has asked: that the task of its own run be cancelled."""
    task = running()
    while task is not None and task.cancelling():
        task.uncancel()


async def _fail(walk: Execution, text: str) -> None:
    """End a run whose walk ended in an exception: nothing may stay stuck."""
    try:
        walk.root, walk.is_sound = RootFrame(last_seq=walk.root.last_seq), False
        now = walk.parts.clock.now()
        walk.journal.steps.clear()
        walk.journal.artifacts.clear()
        walk.journal.waits.clear()
        walk.notes.forget()
        walk.journal.event("failed", "failed", now, error=text)
        await walk.end("failed", None, text)
    except OwnerLost as error:
        walk.log.info("run.lost", epoch=error.epoch)
