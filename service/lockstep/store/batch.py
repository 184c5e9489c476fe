"""The transaction of a batch of events: `ports.pipeline.Transaction` on a connection."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from lockstep.model.admissions import Active, Counted
from lockstep.model.child_runs import Child
from lockstep.model.decisions import Counter, Occurrences
from lockstep.model.events import Event
from lockstep.model.matches import Revival
from lockstep.model.new_runs import NewRun, RunToRetry
from lockstep.model.outbox import EventRow
from lockstep.model.parked import ParkedEvent, Row
from lockstep.model.runs import Ended, Ending
from lockstep.model.texts import shown_key
from lockstep.model.timers import HeldEvents, HoldChanges, Holder, StoredTimer
from lockstep.model.waits import (
    Awaited,
    Firing,
    Looking,
    Rank,
    RecentRow,
    Standing,
    StepResult,
    Taken,
)
from lockstep.store import children, parked, retries, triggers, waits
from lockstep.store.bodies import portions, share
from lockstep.store.outbox import add_events
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query
from lockstep.store.recent import events as recent

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

_encode = msgspec.json.Encoder().encode


class BatchTransaction:
    """See `ports.pipeline.Transaction`."""

    def __init__(self, connection: "Connection", worker_id: UUID) -> None:
        self._connection, self._worker_id = connection, worker_id
        self._warnings: list[tuple[UUID, str]] = []

    async def take_receipts(self, events: Sequence[Event]) -> set[str]:
        """See `ports.pipeline.Transaction`."""
        streams = [one.message.stream if one.message is not None else None for one in events]
        keys = [shown_key(one.context_key) for one in events]
        taken = columns(Event, events, stream=streams, context_key=keys)
        rows = await self._connection.fetch(*query("receipts/take", events=taken))
        return {row["delivery"] for row in rows}

    async def revision(self) -> int:
        """See `ports.pipeline.Transaction`."""
        return int(await self._connection.fetchval(*query("catalog/read_revision")))

    async def lock_keys(self, keys: Sequence[str]) -> None:
        """See `ports.gate.GateTransaction`."""
        await self._connection.execute(*query("queues/lock", keys=keys))

    async def lock_automations(self, ids: Sequence[str]) -> Mapping[str, bool]:
        """See `ports.gate.GateTransaction`."""
        rows = await self._connection.fetch(*query("automations/lock_many", ids=ids))
        return {row["id"]: row["status"] == "enabled" for row in rows}

    async def count_active(self, of: Counted) -> Mapping[tuple[str, str | None], int]:
        """See `ports.gate.GateTransaction`."""
        rows = await self._connection.fetch(
            *query("runs/count_active", automation_ids=of.whole, keys=of.keys)
        )
        return {(row["automation_id"], row["context_key"]): row["active"] for row in rows}

    async def create_runs(self, new_runs: Sequence[NewRun]) -> None:
        """See `ports.launch.LaunchTransaction`."""
        shared = await share(self._connection, new_runs)
        for some in portions(new_runs, lambda one: _weight(one, shared)):
            await self._create_runs(some, shared)

    async def _create_runs(self, new_runs: Sequence[NewRun], shared: Mapping[int, UUID]) -> None:
        matches = [new_run.match for new_run in new_runs]
        events = [match.event for match in matches]
        parents = [event.parent for event in events]
        rows = columns(
            NewRun,
            new_runs,
            automation_id=[match.automation.id for match in matches],
            automation_name=[match.automation.name for match in matches],
            version=[match.automation.version for match in matches],
            trigger_id=[match.trigger.id for match in matches],
            trigger_event_id=[event.id for event in events],
            trigger_payload=[b"" if id(event) in shared else event.body for event in events],
            body_id=[shared.get(id(event)) for event in events],
            trigger_time=[event.time for event in events],
            message_id=[event.message_id for event in events],
            hop=[event.hop for event in events],
            actor=[_encode(event.actor) for event in events],
            context_key=[event.context_key for event in events],
            rank_time=[one.match.rank(one.at)[0] for one in new_runs],
            rank_sequence=[event.sequence for event in events],
            traceparent=[event.traceparent for event in events],
            parent_run_id=[one.run_id if one else None for one in parents],
            parent_path=[one.path if one else None for one in parents],
            cancel_with_parent=[one is not None and one.cancels for one in parents],
        )
        await self._connection.execute(
            *query(
                "runs/create",
                new_runs=rows,
                frames=[(b.id, b.match.revival.document) for b in new_runs if b.match.revival],
                worker_id=self._worker_id,
            )
        )

    async def active_runs(self, of: Counted) -> list[Active]:
        """See `ports.gate.GateTransaction`."""
        rows = await self._connection.fetch(
            *query("runs/active", automation_ids=of.whole, keys=of.keys)
        )
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
        """See `ports.pipeline.Transaction`."""
        return await children.child(self._connection, run_id, path)

    async def owns_setup(self, automation_id: str, trigger_id: str) -> bool:
        """See `ports.pipeline.Transaction`."""
        owned = await self._connection.fetchval(
            *query(
                "triggers/owns_setup",
                automation_id=automation_id,
                trigger_id=trigger_id,
                worker_id=self._worker_id,
            )
        )
        return owned is not None

    async def lock_runs(self, run_ids: Sequence[UUID], wait_ids: Sequence[UUID]) -> None:
        """See `ports.cancel.CancelTransaction`."""
        await self._connection.execute(*query("runs/lock", run_ids=run_ids, wait_ids=wait_ids))

    async def end_runs(self, run_ids: Sequence[UUID], ending: Ending) -> list[Ended]:
        """See `ports.cancel.CancelTransaction`."""
        return await waits.end_runs(self._connection, run_ids, ending)

    async def occurrences(
        self, counters: Sequence[Counter]
    ) -> Mapping[Counter, Sequence[datetime]]:
        """See `ports.matching.MatchingTransaction`."""
        return await triggers.occurrences(self._connection, counters)

    async def keep_occurrences(self, changed: Sequence[Occurrences]) -> None:
        """See `ports.matching.MatchingTransaction`."""
        await triggers.keep_occurrences(self._connection, changed)

    async def held_events(self, holders: Sequence[Holder]) -> Mapping[Holder, HeldEvents]:
        """See `ports.matching.MatchingTransaction`."""
        return await triggers.held_events(self._connection, holders)

    async def change_holds(self, changes: HoldChanges) -> None:
        """See `ports.matching.MatchingTransaction`."""
        await triggers.change_holds(self._connection, changes)

    async def park_timers(self, refused: Sequence[Row]) -> None:
        """See `ports.pipeline.Transaction`."""
        await parked.park_timers(self._connection, self._worker_id, refused)

    async def park_events(self, events: Sequence[ParkedEvent]) -> None:
        """See `ports.pipeline.Transaction`."""
        await parked.park_events(self._connection, self._worker_id, events)

    async def drop_parked_events(self, ids: Sequence[UUID]) -> list[UUID]:
        """See `ports.pipeline.Transaction`."""
        return await parked.drop_events(self._connection, ids)

    async def take_holds(self, ids: Sequence[UUID], now: datetime) -> set[UUID]:
        """See `ports.pipeline.Transaction`."""
        rows = await self._connection.fetch(*query("timers/take_holds", ids=ids, now=now))
        return {row["id"] for row in rows}

    async def move_schedule(
        self, timer_id: UUID, due_at: datetime, following: datetime | None, value: bool | None
    ) -> bool:
        """See `ports.pipeline.Transaction`."""
        if following is None:
            call = query("timers/end_schedule", id=timer_id, due_at=due_at)
        else:
            call = query(
                "timers/move_schedule",
                id=timer_id,
                due_at=due_at,
                following=following,
                last_value=value,
            )
        done = await self._connection.fetchval(*call)
        return done is not None

    async def awaited(self, events: Sequence[Event], after: Awaited | None = None) -> list[Awaited]:
        """See `ports.wake.WakeTransaction`."""
        return await waits.awaited(self._connection, events, after)

    async def standing(self, events: Sequence[Event]) -> Standing:
        """See `ports.wake.WakeTransaction`."""
        return await waits.standing(self._connection, events)

    async def open_results(self, results: Sequence[StepResult]) -> list[Awaited]:
        """See `ports.wake.WakeTransaction`."""
        return await waits.open_results(self._connection, results)

    async def fire(
        self, satisfied: Sequence[tuple[UUID, bytes | None]], now: datetime
    ) -> list[Firing]:
        """See `ports.wake.WakeTransaction`."""
        return await waits.fire(self._connection, satisfied, "event", now)

    async def warn(self, reasons: Sequence[tuple[UUID, str]]) -> None:
        """See `ports.wake.WakeTransaction`."""
        self._warnings += reasons

    async def lock_topics(self, topics: Sequence[bytes], *, alone: bool) -> None:
        """See `ports.wake.LookBackTransaction`."""
        await recent.lock_topics(self._connection, topics, alone=alone)

    async def keep_recent(self, events: Sequence[Event], now: datetime) -> None:
        """See `ports.wake.LookBackTransaction`."""
        await recent.keep(self._connection, events, now)

    async def looking(self, ids: Sequence[UUID]) -> list[Looking]:
        """See `ports.wake.LookingSource`."""
        return await recent.looking(self._connection, ids)

    async def recent(self, look: Looking, after: tuple[Rank, int]) -> list[tuple[RecentRow, Event]]:
        """See `ports.wake.LookingSource`."""
        return await recent.behind(self._connection, look, after)

    async def seen(
        self, looks: Sequence[tuple[Looking, Rank, Rank | None]]
    ) -> Mapping[UUID, Sequence[RecentRow]]:
        """See `ports.wake.LookBackTransaction`."""
        return await recent.seen(self._connection, looks)

    async def arm_waits(self, looks: Sequence[tuple[UUID, Rank]]) -> None:
        """See `ports.wake.LookBackTransaction`."""
        await recent.arm(self._connection, looks)

    async def look_again(self, looks: Mapping[UUID, Rank]) -> None:
        """See `ports.wake.LookBackTransaction`."""
        await recent.look_again(self._connection, looks)

    async def keep_taken(self, taken: Sequence[Taken]) -> None:
        """See `ports.wake.LookBackTransaction`."""
        await recent.take(self._connection, taken)

    async def fail_waits(self, ids: Sequence[UUID], now: datetime) -> list[Firing]:
        """See `ports.wake.LookBackTransaction`."""
        return await waits.fire(self._connection, [(one, None) for one in ids], "incomplete", now)

    async def finish(self) -> None:
        """Write what is locked last."""
        if self._warnings:
            await self._connection.execute(*query("waits/warn", warnings=self._warnings))

    async def copy_steps(self, run_id: UUID, revival: Revival) -> None:
        """See `ports.launch.LaunchTransaction`."""
        await retries.copy_steps(self._connection, run_id, revival)

    async def add_events(self, events: Sequence[EventRow]) -> None:
        """See `ports.cancel.CancelTransaction`."""
        await add_events(self._connection, events)


def _weight(new_run: NewRun, shared: Mapping[int, UUID]) -> int:
    match = new_run.match
    size = 0 if id(match.event) in shared else len(match.event.body)
    return size + (len(match.revival.document) if match.revival else 0)


class Batches:
    """Opens the transactions of batches, and reads what is judged before them.

    `answered`: somebody waits to hear the outcome of each; see `Store.answered`.
    """

    def __init__(self, store: Store, worker_id: UUID, *, answered: bool = False) -> None:
        self._store, self._worker_id = store, worker_id
        self._begin = store.answered if answered else store.transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[BatchTransaction]:
        """See `ports.pipeline.Transactions`."""
        async with self._begin() as connection:
            batch = BatchTransaction(connection, self._worker_id)
            yield batch
            await batch.finish()

    async def awaited(self, events: Sequence[Event], after: Awaited | None = None) -> list[Awaited]:
        """See `ports.pipeline.Transactions`."""
        async with self._store.connection() as connection:
            return await waits.awaited(connection, events, after)

    async def timers(self, ids: Sequence[UUID]) -> tuple[list[StoredTimer], list[Row]]:
        """See `ports.pipeline.Transactions`."""
        async with self._store.connection() as connection:
            return await triggers.timers(connection, ids)

    async def run_to_retry(self, run_id: UUID) -> RunToRetry | None:
        """See `ports.pipeline.Transactions`."""
        async with self._store.connection() as connection:
            return await retries.run_to_retry(connection, run_id)

    async def looking(self, ids: Sequence[UUID]) -> list[Looking]:
        """See `ports.wake.LookingSource`."""
        async with self._store.connection() as connection:
            return await recent.looking(connection, ids)

    async def recent(self, look: Looking, after: tuple[Rank, int]) -> list[tuple[RecentRow, Event]]:
        """See `ports.wake.LookingSource`."""
        async with self._store.connection() as connection:
            return await recent.behind(connection, look, after)
