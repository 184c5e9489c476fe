"""Runs in PostgreSQL: launched, claimed, stored, adopted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.runs import Checkpoint, Consumable, Consumed, Fired, RunState, Woken, topic
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES
from lockstep_schemas.base import Json
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_actor = msgspec.json.Decoder(Actor).decode


class RunStore:
    """What walks and their recovery need of the store."""

    def __init__(self, store: Store, worker_id: UUID) -> None:
        self._store, self._worker_id = store, worker_id

    async def checkpoint(self, checkpoints: Sequence[Checkpoint]) -> Mapping[UUID, int | None]:
        """Store what walks have done, one commit for all; sorted by run id.

        A run that ends or is given up while the commit was in doubt (the connection broke) may
        be refused at the second try: then it is done already, or taken, and both mean stop.

        Returns:
            The runs that this worker still owned; of others nothing is written. For those that
            ended, rested or slept, how often they have been woken: more often than the walk knew,
            and the run does not sleep but stays with this worker.

        Raises:
            Unavailable: Try again.
            DataRefused: A value cannot be stored.
        """
        gates = sorted({c.run.gate for c in checkpoints if c.run.gate and c.status not in ACTIVE})
        if gates or any(c.closed for c in checkpoints):
            return await self._checkpoint_more(checkpoints, gates)
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["checkpoint"], *_columns(checkpoints))
        return {row["run_id"]: row["wakes"] for row in rows}

    async def _checkpoint_more(
        self, checkpoints: Sequence[Checkpoint], gates: Sequence[str]
    ) -> Mapping[UUID, int | None]:
        """Store a batch that closes artifacts, or in which runs end that hold up queues.

        The next ones of the queues go with the commit. Locks: gates, then runs, as everywhere.
        """
        async with self._store.transaction() as connection:
            if gates:
                await connection.execute(QUERIES["lock_gates"], gates)
            rows = await connection.fetch(QUERIES["checkpoint"], *_columns(checkpoints))
            held = {row["run_id"]: row["wakes"] for row in rows}
            closed = [(one, c.at) for c in checkpoints if c.run.id in held for one in c.closed]
            if closed:
                await connection.execute(QUERIES["close_artifacts"], *columns(closed, 2))
            if gates:
                await connection.execute(QUERIES["promote"], gates)
        return held

    async def claim_ready(self, limit: int, now: datetime) -> tuple[list[RunState], bool]:
        """Take up to `limit` runs that wait for a place, fairly and in the order of the stream.

        Returns:
            The runs, and whether others were ready which another transaction held.
        """
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["claim_ready"], limit, self._worker_id, now)
            runs = [run_state(row) for row in rows if row["id"] is not None]
            return await _with_fired(connection, runs), rows[0]["seen"] > len(runs)

    async def adopt(self, limit: int, stale_seconds: float) -> list[RunState]:
        """Take up to `limit` runs of workers whose heartbeat is older than `stale_seconds`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                QUERIES["adopt_runs"], limit, self._worker_id, stale_seconds
            )
            return await _with_fired(connection, [run_state(row) for row in rows])

    async def revive(self, run: RunState) -> int:
        """Give a run whose saved state is gone a row again; give about the seq of its events."""
        async with self._store.connection() as connection:
            seq = await connection.fetchval(QUERIES["revive_frames"], run.id, run.epoch)
        return int(seq)

    async def count_ready(self, limit: int) -> int:
        """Count the runs that wait for a place, up to `limit`."""
        async with self._store.connection() as connection:
            ready = await connection.fetchval(QUERIES["count_ready"], limit)
        return int(ready)

    async def consumable(
        self, automation_id: str, context_key: str | None, types: Sequence[str]
    ) -> Consumed:
        """See `ports.History.consumable`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                QUERIES["consumable_artifacts"], automation_id, context_key, list(types)
            )
        return {row["artifact_type"]: Consumable(row["id"], _decode(row["data"])) for row in rows}

    async def items(self, run_id: UUID, seqs: Sequence[int]) -> Mapping[int, list[Json]]:
        """See `ports.History.items`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(QUERIES["step_items"], run_id, seqs)
        return {row["seq"]: _decode(row["items"]) for row in rows if row["items"] is not None}

    async def fired(self, run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
        """See `ports.History.fired`."""
        async with self._store.connection() as connection:
            return await _fired(connection, run_ids)

    async def heartbeat(self, name: str, version: str) -> datetime:
        """Renew the worker's row; give the time of the database."""
        async with self._store.connection() as connection:
            now: datetime = await connection.fetchval(
                QUERIES["heartbeat"], self._worker_id, name, version
            )
        return now

    async def retire(self) -> None:
        """Take the worker's row away: nothing more will come of it."""
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["retire_worker"], self._worker_id)

    async def forget_workers(self) -> None:
        """Take away the rows of workers that are long gone."""
        async with self._store.connection() as connection:
            await connection.execute(QUERIES["forget_workers"])


async def _fired(connection: "Connection", run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
    found: dict[UUID, tuple[int, dict[UUID, Fired]]] = {}
    for row in await connection.fetch(QUERIES["fired_of_runs"], run_ids):
        _, fired = found.setdefault(row["run_id"], (row["wakes"], {}))
        if row["id"] is not None:
            payload = None if row["payload"] is None else _decode(row["payload"])
            fired[row["id"]] = Fired(row["cause"], payload, row["warning"])
    return {run_id: Woken(wakes, fired) for run_id, (wakes, fired) in found.items()}


async def _with_fired(connection: "Connection", runs: list[RunState]) -> list[RunState]:
    """Give claimed runs what has fired of them; read after the claim, so that none is missed."""
    woken = [run.id for run in runs if run.wakes]
    fired = await _fired(connection, woken) if woken else {}
    for run in runs:
        if run.id in fired:
            run.wakes, run.fired = fired[run.id].wakes, fired[run.id].fired
    return runs


def _columns(checkpoints: Sequence[Checkpoint]) -> list[object]:
    walks = [
        (
            c.run.id, c.run.epoch, c.wakes, c.run.event_seq, c.document, c.status, c.reason,
            c.error, c.at,
        )
        for c in checkpoints
    ]  # fmt: skip
    steps = [
        (
            c.run.id, s.seq, s.path, s.action_id, s.kind, s.provider_action_id, s.status,
            s.attempts, s.error, None if s.result is None else _encode(s.result),
            None if s.items is None else _encode(s.items), s.started_at, s.finished_at,
        )
        for c in checkpoints
        for s in c.steps
    ]  # fmt: skip
    events = [(c.run.id, e.seq, e.subject, e.body) for c in checkpoints for e in c.events]
    artifacts = [
        (
            a.id, c.run.id, c.run.automation_id, a.action_id, a.artifact_type, _encode(a.data),
            c.run.context_key,
        )
        for c in checkpoints
        for a in c.artifacts
    ]  # fmt: skip
    waits = [
        (
            w.id, c.run.id, w.kind, w.path, w.waiting_for,
            None if w.event_id is None else topic(w.event_id, w.context_key),
            w.event_id, w.context_key, w.filter, w.run_scope, w.due_at, w.armed_at,
        )
        for c in checkpoints
        for w in c.waits
    ]  # fmt: skip
    over = [(c.run.id, wait_id) for c in checkpoints for wait_id in c.over]
    return [
        *columns(walks, 9),
        *columns(steps, 13),
        *columns(events, 4),
        *columns(artifacts, 7),
        *columns(waits, 12),
        *columns(over, 2),
    ]


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[Sequence[object]]:
    """Turn rows into the arrays that `unnest` takes."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def run_state(row: asyncpg.Record) -> RunState:
    """Read a run with its frames as a worker takes it up."""
    return RunState(
        id=row["id"],
        automation_id=row["automation_id"],
        automation_name=row["automation_name"],
        version=row["version"],
        trigger_id=row["trigger_id"],
        trigger_event_id=row["trigger_event_id"],
        trigger_payload=_decode(row["trigger_payload"]),
        trigger_time=row["trigger_time"],
        message_id=row["message_id"],
        hop=row["hop"],
        actor=_actor(row["actor"]),
        context_key=row["context_key"],
        started_at=row["started_at"],
        epoch=row["epoch"],
        event_seq=row["event_seq"] or 0,
        document=row["document"],
        has_frames=row["has_frames"],
        wakes=row["wakes"],
        gate=row["gate"],
        traceparent=row["traceparent"],
        parent_run_id=row["parent_run_id"],
    )
