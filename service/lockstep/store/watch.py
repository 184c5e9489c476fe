"""What the tables say to whoever watches."""

from typing import Final, get_args

import msgspec

from lockstep.model.numbers import Numbers
from lockstep.model.runs import WaitKind
from lockstep.store.pool import Store
from lockstep.store.queries import QUERIES

MOST: Final = 100_000  # of the outbox are counted


async def numbers(store: Store) -> Numbers:
    """Count what moves, in one statement. Raise Unavailable."""
    async with store.connection() as connection:
        (row,) = await connection.fetch(QUERIES["figures"], MOST)
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
    )
