"""Bodies of events that start many runs: each stored once, and read once by a worker."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import asyncpg
import msgspec

from lockstep.model.ids import uuid7
from lockstep.model.new_runs import NewRun
from lockstep.model.runs import RunState, SharedBody
from lockstep.store.queries import query

if TYPE_CHECKING:
    from lockstep.store.pool import Connection

SHARED_BYTES: Final = 8192  # a smaller one costs less in each row than a row of its own
STATEMENT_BYTES: Final = 4 << 20  # fractions of a second, far from the 10 s of a statement
STATEMENT_ROWS: Final = 500  # as many: some tens of milliseconds

Row = TypeVar("Row")

_decode = msgspec.json.Decoder().decode


def portions(
    rows: Sequence[Row], weigh: Callable[[Row], int], most_rows: int = STATEMENT_ROWS
) -> Iterator[Sequence[Row]]:
    """Give rows in their order, as many at once as one statement takes; at least one."""
    start = size = 0
    for at, row in enumerate(rows):
        size += weigh(row)
        if at > start and (size > STATEMENT_BYTES or at - start >= most_rows):
            yield rows[start:at]
            start, size = at, weigh(row)
    if rows:
        yield rows[start:]


async def keep(connection: "Connection", bodies: Sequence[tuple[UUID, bytes]]) -> None:
    """Keep bodies, each under its id, until nothing has it any more."""
    for some in portions(bodies, lambda one: len(one[1])):
        await connection.execute(*query("bodies/keep", bodies=some))


async def share(connection: "Connection", new_runs: Sequence[NewRun]) -> Mapping[int, UUID]:
    """Keep the bodies that more than one of these runs have; give them by the id of the event."""
    events = {id(one.match.event): one.match.event for one in new_runs}
    uses = Counter(id(one.match.event) for one in new_runs)
    large = [
        (key, uuid7(), event.body)
        for key, event in events.items()
        if uses[key] > 1 and len(event.body) > SHARED_BYTES
    ]
    if not large or not await connection.fetchval(*query("bodies/may_share")):
        return {}
    await keep(connection, [(body_id, body) for _, body_id, body in large])
    return {key: body_id for key, body_id, _ in large}


class Bodies:
    """What a claim leaves out of runs because it is large; a shared body is in memory once."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[UUID, SharedBody] = WeakValueDictionary()

    async def complete(self, connection: "Connection", run: RunState, row: asyncpg.Record) -> None:
        """Read the rest of a run that was claimed as `row`, one large value at a time."""
        if row["body_id"] is not None:
            body = await self._body(connection, row["body_id"])
            if body is None:
                run.has_frames = False  # damage: it can be failed, and says why
                return
            run.body, run.trigger_payload = body, body.payload
        is_large = row["body_id"] is None and row["trigger_payload"] is None
        if is_large or row.get("has_large_document"):
            found = await connection.fetchrow(*query("runs/large", id=run.id))
            if found is not None and is_large:
                run.trigger_payload = _decode(found["trigger_payload"])
            if found is not None:
                run.document = found["document"]

    async def _body(self, connection: "Connection", body_id: UUID) -> SharedBody | None:
        known = self._known.get(body_id)
        if known is None:
            content = await connection.fetchval(*query("bodies/read", id=body_id))
            if content is None:
                return None
            known = self._known[body_id] = SharedBody(_decode(content))
        return known
