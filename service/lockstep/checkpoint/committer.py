"""Group commits: what many walks have done becomes one statement, one commit.

A lone checkpoint does not wait for company: whatever is ready when a committer is free goes.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeAlias
from uuid import UUID

import structlog

from lockstep.model.errors import DataRefused, Unavailable
from lockstep.model.runs import Checkpoint, OwnerLost
from lockstep.ports.listeners import Listener

# Half of the walks by default: two commits have them all; locks are held shortly.
BATCH: Final = 128
COMMITTERS: Final = 2  # one batch fills while another commits; more would only be smaller ones
# A failover takes some seconds: soon at first, as all walks wait; then no burden on who comes up.
RETRY_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0)

log = structlog.get_logger()

Committed: TypeAlias = asyncio.Future[int | None]


class Writer(Protocol):
    """The statement behind it."""

    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        """Store all in one commit; give the runs that were still owned, see `RunStore`."""
        ...


class Committer:
    """Takes checkpoints from walks and commits them together."""

    def __init__(self, writer: Writer, listener: Listener) -> None:
        """`listener` hears of checkpoints before their walks go on."""
        self._writer, self._listener = writer, listener
        # Bounded by the number of walks: each has at most one checkpoint on its way.
        self._waiting: deque[tuple[Checkpoint, Committed]] = deque()
        self._arrived = asyncio.Event()
        self.committed = 0  # checkpoints, since the start

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """See `ports.walk.Checkpoints.store`."""
        done: Committed = asyncio.get_running_loop().create_future()
        self._waiting.append((checkpoint, done))
        self._arrived.set()
        return await done

    async def run(self) -> None:
        """Commit until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(COMMITTERS):
                group.create_task(self._commit_for_ever())

    async def _commit_for_ever(self) -> None:
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            size = min(len(self._waiting), BATCH)
            batch = [self._waiting.popleft() for _ in range(size)]
            try:
                await self._commit(batch)
            finally:
                # Cut off in the middle: the next one commits, and answers, whoever waits still.
                self._waiting.extendleft(one for one in reversed(batch) if not one[1].done())

    async def _commit(self, batch: list[tuple[Checkpoint, Committed]]) -> None:
        batch.sort(key=lambda entry: entry[0].run.id)
        try:
            owned = await self._write([checkpoint for checkpoint, _ in batch])
        except Exception as error:
            if len(batch) > 1:
                for entry in batch:
                    await self._commit([entry])
                return
            if not isinstance(error, DataRefused):
                run = batch[0][0].run
                log.exception(
                    "checkpoint.failed", run_id=str(run.id), automation_id=run.automation_id
                )
            _fail(batch[0][1], error)
            return
        self.committed += len(batch)
        self._listener.checkpointed([one for one, _ in batch if one.run.id in owned])
        for checkpoint, done in batch:
            run = checkpoint.run
            if run.id in owned:
                if not done.done():
                    done.set_result(owned[run.id])
            else:
                _fail(done, OwnerLost(run_id=run.id, epoch=run.epoch))

    async def _write(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        """Write, again and again while the store is away: a walk waits, it does not lose."""
        attempt = 0
        while True:
            try:
                return await self._writer.checkpoint(checkpoints)
            except Unavailable as error:
                delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                if attempt == 0:
                    log.warning("checkpoint.delayed", error=error, runs=len(checkpoints))
                attempt += 1
                await asyncio.sleep(delay)


def _fail(done: Committed, error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
