"""What the tables say to whoever watches."""

from typing import Final, get_args

import msgspec

from lockstep.model.findings import Numbers
from lockstep.store.pool import Store
from lockstep.store.queries import query
from lockstep_schemas.parked import ParkedKind
from lockstep_schemas.run_events import WaitKind

MOST: Final = 100_000  # of the outbox: enough for any alarm; to count more only takes longer


async def numbers(store: Store) -> Numbers:
    """Count what moves, in one statement. Raise Unavailable."""
    async with store.connection() as connection:
        (row,) = await connection.fetch(*query("status/figures", limit=MOST))
    pending = row["ready"] + row["queued"]
    return Numbers(
        # The counts are of one snapshot: what is left is never below zero.
        runs={
            "pending": pending,
            "running": row["running"],
            "waiting": row["active"] - row["running"] - pending,
        },
        ready=row["ready"],
        waits={**dict.fromkeys(get_args(WaitKind), 0), **msgspec.json.decode(row["waits"])},
        outbox=row["outbox"],
        outbox_oldest_seconds=max(0.0, row["outbox_oldest_seconds"]),
        # What has gone is shown as zero: an alert has to end.
        parked={**dict.fromkeys(get_args(ParkedKind), 0), **msgspec.json.decode(row["parked"])},
    )
