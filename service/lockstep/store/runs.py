"""Runs in PostgreSQL: launched, claimed, stored, adopted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from lockstep.model.parked import why
from lockstep.model.runs import ArtifactRow, Checkpoint, Consumable, Consumed, RunState, StepRow
from lockstep.model.waits import FiredWait, WaitRow, Woken, topic
from lockstep.ports.workers import Beat
from lockstep.store.bodies import Bodies
from lockstep.store.parked import UNREADABLE, park_runs, readable
from lockstep.store.pool import Store
from lockstep.store.queries import columns, query
from lockstep_schemas.base import Json, JsonObject
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
        self._bodies = Bodies()

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
        queue_keys = sorted(
            {c.run.queue_key for c in checkpoints if c.run.queue_key and c.status not in ACTIVE}
        )
        if queue_keys or any(c.closed for c in checkpoints):
            return await self._checkpoint_more(checkpoints, queue_keys)
        async with self._store.connection() as connection:
            rows = await connection.fetch(*checkpoint_call(checkpoints))
        return {row["run_id"]: row["wakes"] for row in rows}

    async def _checkpoint_more(
        self, checkpoints: Sequence[Checkpoint], queue_keys: Sequence[str]
    ) -> Mapping[UUID, int | None]:
        """Store a batch that closes artifacts, or in which runs end that hold up queues.

        The next ones of the queues go with the commit. Locks: keys, then runs, as everywhere.
        """
        async with self._store.transaction() as connection:
            if queue_keys:
                await connection.execute(*query("queues/lock", keys=queue_keys))
            rows = await connection.fetch(*checkpoint_call(checkpoints))
            owned = {row["run_id"]: row["wakes"] for row in rows}
            closed = [(one, c.at) for c in checkpoints if c.run.id in owned for one in c.closed]
            if closed:
                await connection.execute(*query("artifacts/close_many", consumed=closed))
            if queue_keys:
                await connection.execute(*query("queues/promote", queue_keys=queue_keys))
        return owned

    async def claim_ready(self, limit: int, now: datetime) -> tuple[list[RunState], bool]:
        """Take up to `limit` runs that wait for a place, fairly and in the order of the stream.

        Returns:
            The runs, and whether others were ready which another transaction has locked.
        """
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("runs/claim_ready", limit=limit, worker_id=self._worker_id, now=now)
            )
            found = [row for row in rows if row["id"] is not None]
            return await self._taken(connection, found), rows[0]["seen"] > len(found)

    async def adopt(self, limit: int, stale: Sequence[Beat]) -> list[RunState]:
        """Take up to `limit` runs of workers that are gone, see `replicas.claims`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "runs/adopt",
                    limit=limit,
                    worker_id=self._worker_id,
                    stale=stale,
                )
            )
            return await self._taken(connection, rows)

    async def claim_parked(self, limit: int, now: datetime) -> list[RunState]:
        """Take up to `limit` parked runs that this worker has not tried."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query("parked/claim_runs", limit=limit, worker_id=self._worker_id, now=now)
            )
            return await self._taken(connection, rows)

    async def park(self, run: RunState, reason: str) -> None:
        """See `ports.walk.History.park`."""
        async with self._store.connection() as connection:
            await park_runs(connection, self._worker_id, [(run.id, run.epoch, reason)])

    async def _taken(
        self, connection: "Connection", rows: Sequence[asyncpg.Record]
    ) -> list[RunState]:
        """Read what was claimed, with what is large of it and what has fired of it.

        What cannot be read is parked. What has fired is read after the claim, so that none is
        missed.
        """
        runs, refused = list[RunState](), list[tuple[UUID, int, str]]()
        for row in rows:
            try:
                run = run_state(row)
                await self._bodies.complete(connection, run, row)
            except UNREADABLE as error:
                refused.append((row["id"], row["epoch"], why(error)))
            else:
                runs.append(run)
        await park_runs(connection, self._worker_id, refused)
        woken = [run.id for run in runs if run.wakes]
        fired = await self._fired(connection, woken) if woken else {}
        for run in runs:
            if run.id in fired:
                run.wakes, run.fired = fired[run.id].wakes, fired[run.id].fired
        return [run for run in runs if not run.wakes or run.id in fired]

    async def _fired(
        self, connection: "Connection", run_ids: Sequence[UUID]
    ) -> Mapping[UUID, Woken]:
        """Read what has fired of runs; a run of which that cannot be read is parked."""
        found: dict[UUID, tuple[int, dict[UUID, FiredWait]]] = {}
        rows = await _fired_rows(connection, run_ids)
        _, refused = readable(rows, _fired_wait)
        unreadable = {row["run_id"]: (row["epoch"], reason) for row, reason in refused}
        for row in rows:
            if row["run_id"] not in unreadable:
                _, fired = found.setdefault(row["run_id"], (row["wakes"], {}))
                if row["id"] is not None:
                    fired[row["id"]] = _fired_wait(row)
        await park_runs(
            connection,
            self._worker_id,
            [(run_id, epoch, reason) for run_id, (epoch, reason) in unreadable.items()],
        )
        return {run_id: Woken(wakes, fired) for run_id, (wakes, fired) in found.items()}

    async def owned(self) -> Mapping[UUID, int]:
        """See `replicas.unwalked.OwnedRuns`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("runs/owned", worker_id=self._worker_id))
        return {row["id"]: row["epoch"] for row in rows}

    async def let_go(self, runs: Sequence[tuple[UUID, int]]) -> int:
        """See `replicas.unwalked.OwnedRuns`."""
        async with self._store.connection() as connection:
            given_up = await connection.fetchval(
                *query("runs/let_go", given=runs, worker_id=self._worker_id)
            )
        return int(given_up)

    async def revive(self, run: RunState) -> int:
        """See `replicas.claims.OwnerlessRuns`."""
        async with self._store.connection() as connection:
            seq = await connection.fetchval(*query("runs/revive_frames", run_ids=[run.id]))
        return int(seq or 0)  # one that has ended meanwhile has none, and nothing of it is stored

    async def count_ready(self, limit: int) -> int:
        """Count the runs that wait for a place, up to `limit`."""
        async with self._store.connection() as connection:
            ready = await connection.fetchval(*query("runs/count_ready", limit=limit))
        return int(ready)

    async def consumable(
        self, automation_id: str, context_key: str | None, types: Sequence[str]
    ) -> Consumed:
        """See `ports.walk.History.consumable`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(
                *query(
                    "artifacts/consumable",
                    automation_id=automation_id,
                    context_key=context_key,
                    types=types,
                )
            )
        return {row["artifact_type"]: Consumable(row["id"], _decode(row["data"])) for row in rows}

    async def items(self, run_id: UUID, seqs: Sequence[int]) -> Mapping[int, list[Json]]:
        """See `ports.walk.History.items`."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("runs/step_items", run_id=run_id, seqs=seqs))
        return {row["seq"]: _decode(row["items"]) for row in rows if row["items"] is not None}

    async def fired(self, run_ids: Sequence[UUID]) -> Mapping[UUID, Woken]:
        """See `ports.walk.History.fired`."""
        async with self._store.connection() as connection:
            return await self._fired(connection, run_ids)


async def _fired_rows(
    connection: "Connection", run_ids: Sequence[UUID]
) -> Sequence[asyncpg.Record]:
    """Read what has fired of runs, in statements that give some megabytes each."""
    rows: list[asyncpg.Record] = []
    left = sorted(run_ids)
    while left:
        some = await connection.fetch(*query("waits/fired_of", run_ids=left))
        rows += some
        left = [one for one in left if some and one > some[-1]["run_id"]]
    return rows


def _fired_wait(row: asyncpg.Record) -> FiredWait:
    payload = None if row["payload"] is None else _decode(row["payload"])
    return FiredWait(row["cause"], payload, row["warning"])


def checkpoint_call(checkpoints: Sequence[Checkpoint]) -> tuple[str, *tuple[object, ...]]:
    """Give the statement that stores these, which are sorted by run id, with its values."""
    runs = [c.run for c in checkpoints]
    steps = list(chain.from_iterable([c.steps for c in checkpoints]))
    events = list(chain.from_iterable([c.events for c in checkpoints]))
    artifacts = [(c.run, a) for c in checkpoints for a in c.artifacts]
    waits = [(c.run.id, w) for c in checkpoints for w in c.waits]
    return query(
        "runs/checkpoint",
        walks=columns(
            Checkpoint,
            checkpoints,
            run_id=[run.id for run in runs],
            epoch=[run.epoch for run in runs],
            event_seq=[run.event_seq for run in runs],
        ),
        steps=columns(
            StepRow,
            steps,
            run_id=[c.run.id for c in checkpoints for _ in c.steps],
            result=[None if s.result is None else _encode(s.result) for s in steps],
            io=[c.io.get(s.seq) for c in checkpoints for s in c.steps],
        ),
        # Of an event only half is stored here, so that this is faster than all its attributes.
        events={
            "run_id": [c.run.id for c in checkpoints for _ in c.events],
            "seq": [e.seq for e in events],
            "subject": [e.subject for e in events],
            "body": [e.body for e in events],
        },
        artifacts=columns(
            ArtifactRow,
            [artifact for _, artifact in artifacts],
            run_id=[run.id for run, _ in artifacts],
            automation_id=[run.automation_id for run, _ in artifacts],
            context_key=[run.context_key for run, _ in artifacts],
        ),
        waits=columns(
            WaitRow,
            [wait for _, wait in waits],
            run_id=[run_id for run_id, _ in waits],
            topic=[
                None if w.event_id is None else topic(w.event_id, w.context_key) for _, w in waits
            ],
        ),
        over=[(c.run.id, wait_id) for c in checkpoints for wait_id in c.over],
    )


def run_as_told(row: asyncpg.Record) -> RunState:
    """Read a run as far as its events tell of it, which is without its payload and its actor.

    So a run can be ended that nobody can read.
    """
    return _run_state(row, {}, Actor())


def run_state(row: asyncpg.Record) -> RunState:
    """Read a run with its frames as a worker takes it up; see `store.bodies` for what is large.

    Raises:
        DecodeError: It is damaged, or of another version.
    """
    payload = row["trigger_payload"]
    return _run_state(row, _decode(payload) if payload else {}, _actor(row["actor"]))


def _run_state(row: asyncpg.Record, payload: JsonObject, actor: Actor) -> RunState:
    is_kept = row["document"] is not None or row.get("has_large_document", False)
    return RunState(
        id=row["id"],
        automation_id=row["automation_id"],
        automation_name=row["automation_name"],
        version=row["version"],
        trigger_id=row["trigger_id"],
        trigger_event_id=row["trigger_event_id"],
        trigger_payload=payload,
        trigger_time=row["trigger_time"],
        message_id=row["message_id"],
        hop=row["hop"],
        actor=actor,
        context_key=row["context_key"],
        # One that is ended from outside may never have started.
        started_at=row["started_at"] or row["finished_at"],
        epoch=row["epoch"],
        event_seq=row["event_seq"] or 0,
        document=row["document"],
        # What has told events has a document, but for the row that lets a lost run be failed.
        has_frames=row["has_frames"] and (is_kept or not row["event_seq"]),
        wakes=row["wakes"],
        queue_key=row["gate"],
        traceparent=row["traceparent"],
        parent_run_id=row["parent_run_id"],
    )
