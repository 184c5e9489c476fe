"""Runs as the control API shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, get_args
from uuid import UUID

import asyncpg
import msgspec
from msgspec import UNSET

from lockstep.model.run_events import iso
from lockstep.model.runs import FoundRuns
from lockstep.store.parked import shown
from lockstep.store.pool import Store
from lockstep.store.queries import like, query
from lockstep_schemas.api import (
    Artifact,
    Run,
    RunsFilter,
    RunsList,
    StatusFilter,
    Step,
    StepIo,
    Wait,
)
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import ACTIVE, RunStatus

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

PAGE_BYTES: Final = (
    1 << 20
)  # more than a reply takes: whatever comes behind it goes on another page
# Of the planner, which takes the reading of a page of 8 KiB for 1: more than a hundred thousand
# runs are not counted to show fifty.
EXACT_COST: Final = 10_000.0
# Of runs, for a page of those that no index finds: about a tenth of a second.
LOOKED_THROUGH: Final = 50_000
_HEX_DIGITS: Final = 32  # of an id

_decode = msgspec.json.Decoder().decode
_actor = msgspec.json.Decoder(Actor).decode
_kept = msgspec.json.Decoder(StepIo).decode


class RunViews:
    """Reads runs for people."""

    def __init__(
        self,
        store: Store,
        *,
        exact_cost: float = EXACT_COST,
        looked_through: int = LOOKED_THROUGH,
    ) -> None:
        self._store, self._exact_cost = store, exact_cost
        self._looked_through = looked_through

    async def page(self, wanted: RunsList, before: int | None) -> FoundRuns:
        """See `control.runs.RunViews`."""
        by_index, by_looking = _by_index(wanted), _by_looking(wanted)
        where = {**by_index, **by_looking}
        async with self._store.transaction() as connection:
            await connection.execute(*query("runs/plan_by_values"))
            floor = None
            if any(value is not None for value in by_looking.values()):
                looked = {"before": before, "looked_through": self._looked_through}
                floor = await connection.fetchval(*query("runs/floor", **by_index, **looked))
            rows = await connection.fetch(
                *query(
                    "runs/list",
                    **where,
                    before=before,
                    floor=floor,
                    limit=wanted.limit,
                    offset=wanted.offset,
                )
            )
            plan = _decode(await connection.fetchval(*query("runs/estimate", **where)))[0]["Plan"]
            is_exact = plan["Total Cost"] <= self._exact_cost
            total = (
                await connection.fetchval(*query("runs/count", **where))
                if is_exact
                else plan["Plan Rows"]
            )
            bodies = await _bodies(connection, rows)
        found = [_run(row, body) for row, body in zip(rows, bodies, strict=True)]
        return FoundRuns(found, [row["position"] for row in rows], total, is_exact, floor)

    async def run(self, run_id: UUID) -> Run | None:
        """One run."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("runs/get", id=run_id))
        return _run(row, row["body"]) if row else None

    async def status(self, run_id: str) -> RunStatus:
        """Give the status of a run that is stored."""
        async with self._store.connection() as connection:
            row = await connection.fetchrow(*query("runs/get", id=UUID(run_id)))
        status: RunStatus = "cancelled" if row is None else row["status"]  # None: deleted since
        return status

    async def steps(self, run_id: UUID) -> list[Step]:
        """Its steps, in the order in which they began."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("runs/list_steps", run_id=run_id))
        return [
            Step(**{**dict(row), "result": shown(row["result"], _decode), "io": _io(row["io"])})
            for row in rows
        ]

    async def artifacts(self, run_id: UUID) -> list[Artifact]:
        """What it produced."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("artifacts/list", run_id=run_id))
        return [
            Artifact(
                id=str(row["id"]),
                run_id=str(row["run_id"]),
                action_id=row["action_id"],
                artifact_type=row["artifact_type"],
                data=shown(row["data"], _decode),
                context_key=row["context_key"],
                closed_at=row["closed_at"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    async def waits(self, run_id: UUID) -> list[Wait]:
        """What it waits for."""
        async with self._store.connection() as connection:
            rows = await connection.fetch(*query("waits/list", run_id=run_id))
        return [
            Wait(
                id=str(row["id"]),
                action_path=row["action_path"],
                kind=row["kind"],
                waiting_for=_words(row),
                event=row["event_id"],
                context_key=row["context_key"],
                filter=row["filter"],
                warning=row["warning"],
                state=row["state"],
                armed_at=row["armed_at"],
                due_at=row["due_at"],
            )
            for row in rows
        ]

    async def close_artifact(self, artifact_id: UUID, now: datetime) -> bool:
        """See `control.runs.RunViews`."""
        async with self._store.connection() as connection:
            found = await connection.fetchval(*query("artifacts/close", id=artifact_id, now=now))
        return found is not None


def _io(lines: bytes | None) -> list[StepIo]:
    """Read what is kept of a step."""
    found = (shown(line, _kept) for line in (lines or b"").splitlines())
    return [one for one in found if one is not None]


def _by_index(wanted: RunsFilter) -> dict[str, object]:
    """Give what an index finds, or what most runs are told apart by."""
    key, pattern = wanted.context_key, wanted.event
    id_from, id_to = _between(wanted.id)
    return {
        "id_from": id_from,
        "id_to": id_to,
        "automation_id": wanted.automation_id,
        "statuses": _statuses(wanted.status),
        "any_context_key": key is UNSET,
        "context_key": None if key is UNSET else key,
        "since": wanted.since,
        "event": None if pattern is None or pattern.endswith("*") else pattern,
    }


def _by_looking(wanted: RunsFilter) -> dict[str, object]:
    """Give what can only be seen in each run."""
    pattern = wanted.event or ""
    begins = pattern.removesuffix("*") if pattern.endswith("*") else None
    return {
        "event_begins": begins or None,
        "error_like": like(wanted.error),
        "text_like": like(wanted.text),
        "text_bytes": None if wanted.text is None else wanted.text.encode(),
    }


def _statuses(wanted: StatusFilter | None) -> list[str] | None:
    match wanted:
        case None:
            return None
        case "active":
            return sorted(ACTIVE)
        case "ended":
            return sorted({*get_args(RunStatus)} - ACTIVE)
    return [wanted]


def _between(begin: str | None) -> tuple[UUID | None, UUID | None]:
    """Give the first and the last id that may begin so; of a text that is too long, none do."""
    if begin is None:
        return None, None
    digits = begin.replace("-", "")
    if len(digits) > _HEX_DIGITS:
        return UUID(int=1), UUID(int=0)
    return UUID(digits.ljust(_HEX_DIGITS, "0")), UUID(digits.ljust(_HEX_DIGITS, "f"))


def _words(wait: asyncpg.Record) -> str:
    """Say what is waited for; of a deadline the row has what is said when it has passed."""
    if wait["kind"] != "deadline":
        return str(wait["waiting_for"])
    return f"its deadline, {iso(wait['due_at'])}"


async def _bodies(connection: "Connection", rows: Sequence[asyncpg.Record]) -> list[bytes]:
    """Read the payloads of a page: large ones one by one, as far as a reply can hold them."""
    bodies, size = list[bytes](), 0
    for row in rows:
        body = row["body"]
        if body is None and size <= PAGE_BYTES:
            found = await connection.fetchrow(*query("runs/get", id=row["id"]))
            body = None if found is None else found["body"]
        bodies.append(b"{}" if body is None else body)
        size += len(bodies[-1])
    return bodies


def _run(row: asyncpg.Record, body: bytes) -> Run:
    parent = row["parent_run_id"]
    return Run(
        id=str(row["id"]),
        automation_id=row["automation_id"],
        automation_name=row["automation_name"],
        version=row["version"],
        trigger_id=row["trigger_id"],
        trigger_event_id=row["trigger_event_id"],
        trigger_payload=shown(body, _decode),
        actor=shown(row["actor"], _actor) or Actor(),
        context_key=row["context_key"],
        status=row["status"],
        error_message=row["error_message"],
        reason=row["reason"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        parent_run_id=None if parent is None else str(parent),
        waiting_for=row["waiting_for"],
    )
