"""The floor: the same messages, rows, commits and run events as runs of three steps, no engine.

Run as a process of its own, as an engine is: `python -m lockstep.bench.floor`. What it does not do
is what an engine is for: decoding, matching, the gate, walking, rendering, calling.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import structlog

from lockstep import bus, store
from lockstep.engine.process import run
from lockstep.model.automations import Automation
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.messages import Message
from lockstep.model.new_runs import NewRun
from lockstep.model.outbox import EventRow
from lockstep.model.program import Program, TriggerRule
from lockstep.model.runs import Checkpoint, RunState, StepRow
from lockstep.model.verdicts import Accept
from lockstep.settings.load import load
from lockstep_schemas.events import HEADER_MESSAGE_ID, Actor

BATCH: Final = 256  # as `engine.batch_size` has it
LOOPS: Final = 2  # as many as commit at the same time in an engine
STEPS: Final = 3  # as the runs that are measured beside it, see `figures.throughput`
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
# As large as those of an engine are.
DOCUMENT: Final = b"x" * 230
BODY: Final = b"x" * 560

_PROGRAM: Final = Program(
    triggers=(),
    conditions=(),
    actions=(),
    mode="parallel",
    max_runs=1,
    max_duration_seconds=None,
    by_context_key=False,
)
_AUTOMATION: Final = Automation(id="floor", name="floor", version=1, position=1, program=_PROGRAM)
_TRIGGER: Final = TriggerRule(id="floor", event="floor", filter=None, config={})


class Floor:
    """Takes batches, and does with them what must be done to tables and streams."""

    def __init__(self, database: store.Store, connection: bus.Connection) -> None:
        worker = uuid7()
        self._batches = store.Batches(database, worker)
        self._runs = store.RunStore(database, worker)
        self._outbox = store.OutboxStore(database, worker)
        self._publisher = bus.Publisher(connection)
        self._prefix = connection.names.prefix

    async def run(self, puller: bus.Puller) -> None:
        """Take batches until cancelled, two at the same time."""
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOPS):
                group.create_task(self._loop(puller))

    async def _loop(self, puller: bus.Puller) -> None:
        while True:
            messages = await puller.batch(BATCH)
            runs = await self._launch(messages)
            for message in messages:
                await puller.settle(message, Accept())
            for number in range(STEPS + 1):
                await self._commit(runs, number)

    async def _launch(self, messages: Sequence[Message]) -> list[RunState]:
        new_runs = [_birth(message) for message in messages]
        async with self._batches.transaction() as tx:
            await tx.take_receipts([new_run.match.event for new_run in new_runs])
            await tx.create_runs(new_runs)
        return sorted((_state(new_run) for new_run in new_runs), key=lambda run: run.id)

    async def _commit(self, runs: list[RunState], number: int) -> None:
        """Commit what the nth checkpoint of each run writes, and send its events."""
        checkpoints = [self._checkpoint(run, number) for run in runs]
        await self._runs.checkpoint(checkpoints)
        for event in range(len(checkpoints[0].events)):
            rows = [checkpoint.events[event] for checkpoint in checkpoints]
            await asyncio.gather(*(self._publish(row) for row in rows))
            await self._outbox.forget(rows)

    def _checkpoint(self, run: RunState, number: int) -> Checkpoint:
        is_last = number == STEPS
        steps = [_step(number, "success")] if number else []
        steps += [] if is_last else [_step(number + 1, "running")]
        # Before the first call: started. After each call: its step. At the end: the run too.
        count = 2 if is_last else 1
        first = number + 1
        events = [
            EventRow(
                str(run.id),
                first + more,
                f"{self._prefix}.run.floor.{'succeeded' if more else 'step_succeeded'}",
                f"{run.id}:{first + more}",
                BODY,
                NOW,
            )
            for more in range(count)
        ]
        return Checkpoint(
            run=run,
            at=NOW,
            document=DOCUMENT,
            status="success" if is_last else "running",
            reason=None,
            error=None,
            steps=steps,
            events=events,
            artifacts=[],
        )

    async def _publish(self, row: EventRow) -> None:
        head = {HEADER_MESSAGE_ID: row.message_id}
        await self._publisher.publish(row.subject, row.body, head)


def _birth(message: Message) -> NewRun:
    event = Event(
        id="floor",
        payload={},
        body=message.data,
        delivery=f"{message.stream}:{message.sequence}:{message.stored_at_ns}",
        message_id=None,
        context_key=None,
        actor=Actor(),
        hop=0,
        time=NOW,
        sequence=message.sequence,
        message=message,
    )
    match = TriggerMatch(event, _AUTOMATION, _TRIGGER)
    return NewRun(id=uuid7(), match=match, status="running", reason=None, at=NOW)


def _state(new_run: NewRun) -> RunState:
    return RunState(
        id=new_run.id,
        automation_id="floor",
        automation_name="floor",
        version=1,
        trigger_id="floor",
        trigger_event_id="floor",
        trigger_payload={},
        trigger_time=NOW,
        message_id=None,
        hop=0,
        actor=Actor(),
        context_key=None,
        started_at=NOW,
        epoch=1,
    )


def _step(number: int, status: str) -> StepRow:
    return StepRow(
        seq=number,
        path=f"actions[{number}]",
        action_id=None,
        kind="action",
        provider_action_id="test.log",
        status=status,  # type: ignore[arg-type] # of StepStatus, by its callers
        attempts=1,
        error=None,
        result=None,
        items=None,
        started_at=NOW,
        finished_at=NOW if status == "success" else None,
    )


@asynccontextmanager
async def _opened() -> AsyncIterator[tuple[Floor, bus.Puller]]:
    settings = load(environ=os.environ).settings
    database = await store.Store.connect(settings.postgres.dsn, settings.postgres.pool_size)
    connection = await bus.connect(settings.nats)
    try:
        await bus.apply(connection)
        async with bus.Puller(connection) as puller:
            yield Floor(database, connection), puller
    finally:
        await connection.close()
        await database.close()


async def main() -> None:
    """Be the floor until killed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with _opened() as (floor, puller):
        await floor.run(puller)


if __name__ == "__main__":
    run(main())
