"""Group commits: what many walks have done becomes one statement, one commit.

A lone checkpoint does not wait for company: whatever is ready when a committer is free goes.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import structlog

from lockstep.model.errors import DataRefused, StoreTooSlow, Unavailable
from lockstep.model.runs import Checkpoint, OwnerLost
from lockstep.ports.listeners import Listener

# Half of the walks by default: two commits have them all; locks are held shortly.
BATCH: Final = 128
# Fractions of a second, far from the 10 s of a statement: a walk may store megabytes.
BATCH_BYTES: Final = 4 * 1024 * 1024
COMMITTERS: Final = 2  # one batch fills while another commits; more would only be smaller ones
ROW_BYTES: Final = 512  # ids, times, short texts
# A failover takes some seconds: soon at first, as all walks wait; then no burden on who comes up.
RETRY_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0)

log = structlog.get_logger()

# What takes too long although it is alone: others have their turn in between.
ALONE_SECONDS: Final = (1.0, 5.0, 15.0, 60.0)

Committed: TypeAlias = asyncio.Future[int | None]


class _Entry(NamedTuple):
    """A checkpoint, who waits for it, and how often it took too long alone."""

    checkpoint: Checkpoint
    done: Committed
    tries: int = 0


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
        self._waiting: deque[_Entry] = deque()
        self._aside: set[Committed] = set()  # who waits for one that was too slow alone
        self._arrived = asyncio.Event()
        self.committed = 0  # checkpoints, since the start

    async def store(self, checkpoint: Checkpoint) -> int | None:
        """See `ports.walk.Checkpoints.store`."""
        done: Committed = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(checkpoint, done))
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
            batch = self._batch()
            try:
                await self._commit(batch)
            finally:
                # Cut off in the middle: the next one commits, and answers, whoever waits still.
                left = [one for one in batch if not one.done.done() and one.done not in self._aside]
                self._waiting.extendleft(reversed(left))

    def _batch(self) -> list[_Entry]:
        """Take what waits, as far as it fits into one statement; one that is larger goes alone."""
        batch, room = [self._waiting.popleft()], BATCH_BYTES
        room -= weight(batch[0].checkpoint)
        while self._waiting and len(batch) < BATCH:
            room -= weight(self._waiting[0].checkpoint)
            if room < 0:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _commit(self, batch: list[_Entry]) -> None:
        batch.sort(key=lambda entry: entry.checkpoint.run.id)
        try:
            owned = await self._write([entry.checkpoint for entry in batch])
        except StoreTooSlow as error:
            await self._split(batch, error)
            return
        except Exception as error:
            if len(batch) > 1:
                for entry in batch:
                    await self._commit([entry])
                return
            if not isinstance(error, DataRefused):
                run = batch[0].checkpoint.run
                log.exception(
                    "checkpoint.failed", run_id=str(run.id), automation_id=run.automation_id
                )
            _fail(batch[0].done, error)
            return
        self.committed += len(batch)
        self._listener.checkpointed(
            [entry.checkpoint for entry in batch if entry.checkpoint.run.id in owned]
        )
        for entry in batch:
            run = entry.checkpoint.run
            if run.id in owned:
                if not entry.done.done():
                    entry.done.set_result(owned[run.id])
            else:
                _fail(entry.done, OwnerLost(run_id=run.id, epoch=run.epoch))

    async def _split(self, batch: list[_Entry], error: StoreTooSlow) -> None:
        """Write the halves of what took too long at once; one alone comes again later."""
        middle = len(batch) // 2
        if middle:
            log.warning("checkpoint.split", runs=len(batch), error=error)
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
            return
        (entry,) = batch
        seconds = ALONE_SECONDS[min(entry.tries, len(ALONE_SECONDS) - 1)]
        run = entry.checkpoint.run
        log.warning(
            "checkpoint.delayed", run_id=str(run.id), automation_id=run.automation_id, error=error,
            bytes=weight(entry.checkpoint), next_seconds=seconds,
        )  # fmt: skip
        self._aside.add(entry.done)
        again = entry._replace(tries=entry.tries + 1)
        asyncio.get_running_loop().call_later(seconds, self._again, again)

    def _again(self, entry: _Entry) -> None:
        self._aside.discard(entry.done)
        self._waiting.append(entry)
        self._arrived.set()

    async def _write(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        """Write, again and again while the store is away: a walk waits, it does not lose."""
        attempt = 0
        while True:
            try:
                return await self._writer.checkpoint(checkpoints)
            except StoreTooSlow:
                raise
            except Unavailable as error:
                delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                if attempt == 0:
                    log.warning("checkpoint.delayed", error=error, runs=len(checkpoints))
                attempt += 1
                await asyncio.sleep(delay)


def weight(checkpoint: Checkpoint) -> int:
    """Say about how many bytes a checkpoint is in its statement."""
    size = ROW_BYTES * (1 + len(checkpoint.steps) + len(checkpoint.waits))
    size += len(checkpoint.document or b"")
    for step in checkpoint.steps:
        size += len(step.items or b"")
    for lines in checkpoint.io.values():
        size += len(lines)
    for event in checkpoint.events:
        size += len(event.body)
    for artifact in checkpoint.artifacts:
        size += 2 * len(artifact.data)  # it stands in the result of its step too
    for wait in checkpoint.waits:
        size += len(wait.run_scope or b"")
    return size


def _fail(done: Committed, error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
