"""Runs that are retried: what they were started with, and the steps that a new run begins with."""

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from lockstep.model.errors import Unavailable
from lockstep.model.events import Event
from lockstep.model.matches import Revival
from lockstep.model.new_runs import RunToRetry
from lockstep.store.queries import query
from lockstep.store.runs import run_as_told
from lockstep_schemas.events import Actor

_decode = msgspec.json.Decoder().decode
_actor = msgspec.json.Decoder(Actor).decode

if TYPE_CHECKING:
    from lockstep.store.pool import Connection


async def run_to_retry(connection: "Connection", run_id: UUID) -> RunToRetry | None:
    """Read a run with its event, and what it stood at if it failed."""
    row = await connection.fetchrow(*query("runs/past", id=run_id))
    if row is None:
        return None
    run = run_as_told(row)
    return RunToRetry(
        id=run.id,
        event=Event(
            id=run.trigger_event_id,
            payload=_decode(row["body"]),
            body=row["body"],
            delivery=f"retry:{run.id}",
            message_id=run.message_id,
            context_key=run.context_key,
            actor=_actor(row["actor"]),
            hop=run.hop,
            time=run.trigger_time,
            sequence=0,  # it ranks by the time at which it reaches the gate
            traceparent=run.traceparent,
        ),
        automation_id=run.automation_id,
        automation_status=row["automation_status"],
        version=run.version,
        trigger_id=run.trigger_id,
        status=row["status"],
        document=run.document,
    )


async def copy_steps(connection: "Connection", run_id: UUID, revival: Revival) -> None:
    """Give a run the steps of another: those that it goes on in are running again.

    Raises:
        Unavailable: The other run is gone; ask again, and hear that there is none.
    """
    if await connection.fetchval(*query("runs/lock_past", id=revival.of)) is None:
        raise Unavailable(f"run {revival.of} was forgotten meanwhile: it ended too long ago")
    await connection.execute(
        *query(
            "runs/copy_steps",
            run_id=run_id,
            past_id=revival.of,
            reopened=revival.reopened,
            dropped=revival.dropped,
        )
    )
