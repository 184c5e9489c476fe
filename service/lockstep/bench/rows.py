"""The tables behind a benchmark: what an engine has noted, and many sleepers made of one."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from typing import Final
from uuid import UUID

import msgspec

from lockstep import bus, store
from lockstep.bench.environment import BenchEnvironment
from lockstep.model.ids import uuid7
from lockstep.model.waits import MirroredWait, topic
from lockstep_schemas.run_events import RunStatus

POOL: Final = 4  # the least that settings allow: one statement runs at a time
PAGE: Final = 5000  # rows in a statement, some MiB
KEYS_AT_ONCE: Final = 128  # as `scene.PUBLISHES_AT_ONCE`
ASK_SECONDS: Final = 0.01  # no figure depends on it: what is measured begins when the run sleeps
ASLEEP_SECONDS: Final = 30.0  # a run sleeps within milliseconds; only what hangs takes this

# Per table of a sleeping run: the column that names the run, and what differs in a copy.
COPIED: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "runs": ("id", {"id": "n.run_id", "context_key": "n.key"}),
    "run_frames": ("run_id", {"run_id": "n.run_id", "document": "n.document"}),
    "run_steps": ("run_id", {"run_id": "n.run_id"}),
    "waits": (
        "run_id",
        {"run_id": "n.run_id", "id": "n.wait_id", "context_key": "n.key", "topic": "n.topic"},
    ),
}
COLUMNS: Final = """
select column_name from information_schema.columns
 where table_schema = current_schema() and table_name = $1 and is_identity = 'NO'
"""
NEW: Final = """
unnest($2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[])
    as n (run_id, wait_id, key, topic, document)
"""
TEMPLATE: Final = """
select w.id, w.event_id, f.document
  from waits w
  join run_frames f on f.run_id = w.run_id
 where w.run_id = $1
"""
ASLEEP: Final = """
select id from runs where automation_id = $1 and context_key = $2 and status = 'waiting'
"""
# From when a delay was over until the action after it had been performed. A delay counts from the
# beginning of its step.
LATENESS: Final = """
select extract(epoch from a.finished_at - d.started_at)::float8
       - (convert_from(r.trigger_payload, 'UTF8')::json ->> 'seconds')::float8
  from runs r
  join run_steps d on d.run_id = r.id and d.action_path = 'actions[0]'
  join run_steps a on a.run_id = r.id and a.action_path = 'actions[1]'
 where r.status = 'success'
"""
# From the deadline of a wait until its run has gone on. It counts from the beginning of the step.
TIMEOUTS: Final = """
select extract(epoch from finished_at - started_at)::float8 - $1::float8
  from run_steps
 where action_kind = 'wait_for_trigger'
"""
# From the deadline of a hold, which counts from the time of its event, until its run has begun.
HOLDS: Final = """
select extract(epoch from started_at - trigger_time)::float8 - $1::float8
  from runs
 where trigger_event_id = $2
"""
IN_A_WHILE: Final = "select clock_timestamp() + make_interval(secs => $1::float8)"
DUE: Final = "update waits set due_at = $1::timestamptz + make_interval(secs => random())"
SINCE: Final = """
select extract(epoch from max(finished_at) - $1::timestamptz)::float8
  from runs
"""
BEGINNINGS: Final = """
select extract(epoch from started_at)::float8
  from run_steps
 where action_kind = 'delay'
 order by seq
"""


class Rows:
    """Asks, and copies, beside the engine."""

    def __init__(self, database: store.Store, connection: bus.Connection) -> None:
        self._database = database
        self._waits = store.WaitStore(database, uuid7())
        self._bucket = bus.Bucket(connection, "wait")

    async def until(self, status: RunStatus, count: int, seconds: float) -> None:
        """Return when as many runs are in a status. Raise TimeoutError after so many seconds."""
        query = "select count(*) from runs where status = $1"
        async with asyncio.timeout(seconds):
            while True:
                async with self._database.connection() as connection:
                    if int(await connection.fetchval(query, status)) >= count:
                        return
                await asyncio.sleep(0.2)

    async def asleep(self, automation_id: str, context_key: str) -> UUID:
        """Give the run with a context key, once it sleeps. Raise TimeoutError."""
        async with asyncio.timeout(ASLEEP_SECONDS):
            while True:
                async with self._database.connection() as connection:
                    found: UUID | None = await connection.fetchval(
                        ASLEEP, automation_id, context_key
                    )
                if found is not None:
                    return found
                await asyncio.sleep(ASK_SECONDS)

    async def lateness(self) -> list[float]:
        """Give by how many seconds each run went on later than it should."""
        async with self._database.connection() as connection:
            return [float(row[0]) for row in await connection.fetch(LATENESS)]

    async def timeouts(self, seconds: float) -> list[float]:
        """Give how late each run has gone on that waited in vain for so many seconds."""
        async with self._database.connection() as connection:
            return [float(row[0]) for row in await connection.fetch(TIMEOUTS, seconds)]

    async def holds(self, seconds: float, event: str) -> list[float]:
        """Give how late each run has begun whose event was held for so many seconds."""
        async with self._database.connection() as connection:
            return [float(row[0]) for row in await connection.fetch(HOLDS, seconds, event)]

    async def let_expire(self, seconds: float) -> datetime:
        """Let all waits be due within the same second, in so many seconds; give its beginning."""
        async with self._database.connection() as connection:
            begins: datetime = await connection.fetchval(IN_A_WHILE, seconds)
            await connection.execute(DUE, begins)
        return begins

    async def ended_since(self, begins: datetime) -> float:
        """Give the seconds from a time until the last run has ended."""
        async with self._database.connection() as connection:
            return float(await connection.fetchval(SINCE, begins))

    async def iterations(self) -> list[float]:
        """Give the seconds that each iteration of the only run took; its body is a delay."""
        async with self._database.connection() as connection:
            began = [float(row[0]) for row in await connection.fetch(BEGINNINGS)]
        return [later - earlier for earlier, later in pairwise(began)]

    async def copy(self, run_id: UUID, count: int) -> None:
        """Let so many more runs sleep as this one does, each with a context key of its own.

        Their rows are written as the engine would have, without the events that tell of it.
        """
        async with self._database.connection() as connection:
            [(waited, event, document)] = await connection.fetch(TEMPLATE, run_id)
        for start in range(0, count, PAGE):
            wait_ids = [uuid7() for _ in range(min(PAGE, count - start))]
            keys = [f"sleeper-{wait_id}" for wait_id in wait_ids]
            before = str(waited).encode()
            await self._insert(
                run_id,
                [uuid7() for _ in wait_ids],
                wait_ids,
                keys,
                [topic(event, key) for key in keys],
                [bytes(document).replace(before, str(one).encode()) for one in wait_ids],
            )

    async def _insert(self, run_id: UUID, *new: Sequence[object]) -> None:
        async with self._database.transaction() as connection:
            for table, (owner, differs) in COPIED.items():
                names = [str(row[0]) for row in await connection.fetch(COLUMNS, table)]
                values = ", ".join(differs.get(name, f"t.{name}") for name in names)
                await connection.execute(
                    f"insert into {table} ({', '.join(names)}) select {values}"  # noqa: S608 - ours
                    f" from {table} t cross join {NEW} where t.{owner} = $1",
                    run_id,
                    *new,
                )

    async def show(self) -> None:
        """Write the keys of all that sleeps to the bus, as engines would have one by one."""
        page = await self._waits.sleepers()
        while page:
            sleepers = iter(page)
            async with asyncio.TaskGroup() as group:
                for _ in range(KEYS_AT_ONCE):
                    group.create_task(self._show(sleepers))
            page = await self._waits.sleepers(page[-1].wait_id)

    async def _show(self, sleepers: Iterator[MirroredWait]) -> None:
        for one in sleepers:
            await self._bucket.put(str(one.wait_id), msgspec.json.encode(one), one.due_at)

    async def analyze(self) -> None:
        """Let the database learn how much there is, as it does by itself after a while."""
        async with self._database.connection() as connection:
            await connection.execute("vacuum analyze")


@asynccontextmanager
async def rows(opened: BenchEnvironment) -> AsyncIterator[Rows]:
    """Connect to the database of an environment."""
    database = await store.Store.connect(opened.servers.postgres_dsn, POOL)
    try:
        yield Rows(database, opened.connection)
    finally:
        await database.close()
