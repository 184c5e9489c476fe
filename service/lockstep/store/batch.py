"""The transaction of a batch of events: `ports.Transaction` on a connection."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from lockstep.model.matches import (
    Active,
    Birth,
    Counter,
    Hold,
    Holder,
    Moments,
    Past,
    Revival,
    StoredTimer,
)
from lockstep.model.runs import Awaited, Child, Ended, Ending, Event, EventRow, Firing, StepKey
from lockstep.store import children, retries, triggers, waits
from lockstep.store.outbox import add_events
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
from lockstep.store.runs import columns

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

_encode = msgspec.json.Encoder().encode


class BatchTransaction:
    """See `ports.Transaction`."""

    def __init__(self, connection: "Connection", worker_id: UUID) -> None:
        self._connection, self._worker_id = connection, worker_id

    async def take_receipts(self, events: Sequence[Event]) -> set[str]:
        """Note deliveries; give those that are new."""
        rows = await self._connection.fetch(
            QUERIES["take_receipts"],
            *columns([(event.delivery, event.id, event.message_id) for event in events], 3),
        )
        return {row["delivery"] for row in rows}

    async def revision(self) -> int:
        """Read the revision of the automations."""
        return int(await self._connection.fetchval(QUERIES["read_revision"]))

    async def lock_gates(self, keys: Sequence[str]) -> None:
        """Hold gates to the end of the transaction; `keys` are sorted."""
        await self._connection.execute(QUERIES["lock_gates"], keys)

    async def hold_automations(self, ids: Sequence[str]) -> Mapping[str, bool]:
        """Keep automations from being deleted: id to enabled."""
        rows = await self._connection.fetch(QUERIES["hold_automations"], ids)
        return {row["id"]: row["status"] == "enabled" for row in rows}

    async def count_active(self, ids: Sequence[str]) -> Mapping[tuple[str, str | None], int]:
        """Count active runs by (automation, context key)."""
        rows = await self._connection.fetch(QUERIES["count_active"], ids)
        return {(row["automation_id"], row["context_key"]): row["active"] for row in rows}

    async def create_runs(self, births: Sequence[Birth]) -> None:
        """Insert run rows."""
        rows = [_row(birth) for birth in births]
        revivals = [birth.hit.revival for birth in births]
        documents = [None if one is None else one.document for one in revivals]
        await self._connection.execute(
            QUERIES["create_runs"], *columns(rows, 23), self._worker_id, documents
        )

    async def active_runs(self, ids: Sequence[str]) -> list[Active]:
        """Give the active runs of automations, with their rank."""
        rows = await self._connection.fetch(QUERIES["active_runs"], ids)
        return [
            Active(
                row["id"],
                row["automation_id"],
                row["context_key"],
                (row["rank_time"], row["rank_sequence"]),
            )
            for row in rows
        ]

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """Find the run that a step has started."""
        return await children.child(self._connection, run_id, path)

    async def hold_source(self, automation_id: str, trigger_id: str) -> bool:
        """Say whether this worker runs the set-up of a trigger."""
        keys = (automation_id, trigger_id, self._worker_id)
        return await self._connection.fetchval(QUERIES["hold_source"], *keys) is not None

    async def lock_runs(self, run_ids: Sequence[UUID], wait_ids: Sequence[UUID]) -> None:
        """Hold runs, and the runs of waits, in their one order."""
        await self._connection.execute(QUERIES["lock_runs"], run_ids, wait_ids)

    async def end_runs(self, run_ids: Sequence[UUID], ending: Ending) -> list[Ended]:
        """End active runs; those that have ended are not given."""
        return await waits.end_runs(self._connection, run_ids, ending)

    async def moments(self, counters: Sequence[Counter]) -> Mapping[Counter, Sequence[datetime]]:
        """Read the last occurrences of counters."""
        return await triggers.moments(self._connection, counters)

    async def keep_moments(self, changed: Sequence[Moments]) -> None:
        """Keep the last occurrences of counters, which are locked."""
        await triggers.keep_moments(self._connection, changed)

    async def armed_holds(self, holders: Sequence[Holder]) -> Mapping[Holder, UUID]:
        """Find the holds that are armed."""
        return await triggers.armed_holds(self._connection, holders)

    async def change_holds(self, armed: Sequence[Hold], gone: Sequence[UUID]) -> None:
        """Disarm holds, and arm others; all of them are locked."""
        await triggers.change_holds(self._connection, armed, gone)

    async def timers(self, ids: Sequence[UUID]) -> list[StoredTimer]:
        """Read timers, to be judged."""
        return await triggers.timers(self._connection, ids)

    async def take_holds(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """Take holds that are due, each once; their locks are held."""
        rows = await self._connection.fetch(QUERIES["take_holds"], ids, now)
        return {row["id"] for row in rows}

    async def move_schedule(
        self, timer_id: UUID, due_at: datetime, following: datetime | None, value: bool | None
    ) -> bool:
        """Set the next tick, or end the schedule; say whether nobody has done so before."""
        if following is None:
            done = await self._connection.fetchval(QUERIES["end_schedule"], timer_id, due_at)
        else:
            done = await self._connection.fetchval(
                QUERIES["move_schedule"], timer_id, due_at, following, value
            )
        return done is not None

    async def awaited(self, events: Sequence[Event]) -> list[Awaited]:
        """Find the armed waits that events may satisfy."""
        return await waits.awaited(self._connection, events)

    async def open_results(self, keys: Sequence[StepKey]) -> list[Awaited]:
        """Find the armed waits for results of remote actions."""
        return await waits.open_results(self._connection, keys)

    async def fire(
        self, satisfied: Sequence[tuple[UUID, bytes | None]], now: datetime
    ) -> list[Firing]:
        """Fire waits, each with the payload of its event."""
        return await waits.fire(self._connection, satisfied, "event", now)

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """Keep why the filters of waits could not be judged."""
        await self._connection.execute(QUERIES["warn_waits"], *columns(reasons, 2))

    async def past_run(self, run_id: UUID) -> Past | None:
        """Read a run that is to be retried."""
        return await retries.past_run(self._connection, run_id)

    async def copy_steps(self, run_id: UUID, revival: Revival) -> None:
        """Give a run the steps of the one that it goes on from."""
        await retries.copy_steps(self._connection, run_id, revival)

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """Put events into the outbox."""
        await add_events(self._connection, events)


def _row(birth: Birth) -> tuple[object, ...]:
    hit = birth.hit
    event, automation = hit.event, hit.automation
    return (
        birth.id,
        automation.id,
        automation.name,
        automation.version,
        hit.trigger.id,
        event.id,
        event.body,
        event.time,
        event.message_id,
        event.hop,
        _encode(event.actor),
        event.context_key,
        birth.status,
        birth.reason,
        event.time if event.sequence else birth.at,
        event.sequence,
        birth.at,
        birth.gate,
        birth.queued,
        event.traceparent,
        event.parent.run_id if event.parent else None,
        event.parent.path if event.parent else None,
        event.parent is not None and event.parent.cancels,
    )


class Batches:
    """Opens the transactions of batches."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store, worker_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[BatchTransaction]:
        """Begin; commit at the end, or roll back where the block raises.

        Raises:
            Unavailable: Nothing is committed, or it is in doubt: the events must come again.
            DataRefused: A value of one of the events cannot be stored.
        """
        async with self._store.transaction() as connection:
            yield BatchTransaction(connection, self._worker_id)
