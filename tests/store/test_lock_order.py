"""Whatever meets whatever: no two transactions wait for each other, whatever the collation is."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from databases import database, on_server
from lockstep.embedded import Servers
from lockstep.model.errors import StoreUnavailable
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.outbox import EventRow
from lockstep.model.parked import ParkedEvent
from lockstep.model.runs import Checkpoint, Ended, Ending, RunState
from lockstep.model.timers import ArmedHold, EndedHold, HoldChanges, Holder, HoldEvent, KeptEvent
from lockstep.model.waits import Taken, WaitRow, topic
from lockstep.store import (
    AutomationStore,
    Batches,
    ChildStore,
    OutboxStore,
    ParkedStore,
    RunStore,
    WaitStore,
    migrate,
)
from lockstep.store.setups import SetupStore
from store_fixture import StoredMessage, StoreFixture, store_fixture

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANCELLED = Ending(status="cancelled", reason="no more", at=NOW)
# As people sort them they stand in another order than as bytes.
NAMES: Final = ("b-2", "B1", "a", "_z", "A-1", "b_1")
ROUNDS: Final = 1

Doing: TypeAlias = Callable[["Scene"], Awaitable[object]]


@pytest_asyncio.fixture(params=["C", "people"])
async def scene(servers: Servers, request: pytest.FixtureRequest) -> AsyncIterator["Scene"]:
    """Rows of all kinds, in a database that sorts by bytes or as people do."""
    name = f"t_{uuid4().hex}"
    how = "" if request.param == "C" else "lc_collate 'en_US.UTF-8' template template0"
    try:
        await on_server(servers.postgres_dsn, f"create database {name} {how}")
    except asyncpg.WrongObjectTypeError:
        pytest.skip("this machine sorts by bytes only: it has no locale en_US.UTF-8")
    dsn = database(servers.postgres_dsn, name)
    try:
        await migrate(dsn)
        # Whoever waits in a ring is told soon.
        await on_server(dsn, f"alter database {name} set deadlock_timeout = '30ms'")
        async with store_fixture(dsn) as laboratory:
            await laboratory.database.pool.execute(SLOW)
            yield Scene(laboratory)
    finally:
        await on_server(servers.postgres_dsn, f"drop database {name} with (force)")


# Whoever changes several rows takes a while between them, so that others come in between.
SLOW = """
    create function slow() returns trigger language plpgsql as
        'begin perform pg_sleep(0.001); return coalesce(new, old); end';
    create trigger slow before insert on receipts for each row execute function slow();
    create trigger slow before update or delete on timers for each row execute function slow();
    create trigger slow before delete on hold_events for each row execute function slow();
    create trigger slow before update on artifacts for each row execute function slow();
    create trigger slow before delete on sources for each row execute function slow();
    create trigger slow before update or delete on parked_events
        for each row execute function slow();
    create trigger slow before delete on outbox for each row execute function slow();
    create trigger slow before update or delete on waits for each row execute function slow();
    create trigger slow before update or delete on run_frames for each row execute function slow();
"""


class Scene:
    """What all of them act on: each takes the rows in an order of its own."""

    def __init__(self, laboratory: StoreFixture) -> None:
        self.laboratory, self.random = laboratory, random.Random(7)  # noqa: S311
        self.runs: list[RunState] = []
        self.waits: list[UUID] = []
        self.timers: list[UUID] = []
        self.events: list[Event] = []
        self.artifacts: list[UUID] = []
        self.parked: list[UUID] = []
        self.owner = uuid7()

    def topics(self) -> list[bytes]:
        """Topics as their users sort them."""
        names = self.random.sample(NAMES, 4)
        return sorted(topic("e", name) for name in names)

    async def fill(self) -> None:
        """Make the rows anew."""
        await self.laboratory.database.forget_all()
        rows = self.laboratory.rows
        await rows("truncate sources")
        program = self.laboratory.program({"name": "n", "triggers": [{"event": "e"}]})
        launched = [await self.laboratory.launch(program, {}) for _ in NAMES * 2]
        self.runs = sorted(launched, key=lambda one: one.id)
        names = [*NAMES, *NAMES]
        self.owner = uuid7()
        await rows(OWNED, [run.id for run in self.runs], names, self.owner)
        for run, name in zip(self.runs, names, strict=True):
            run.queue_key = name
        armed = [armed_wait() for _ in self.runs]
        done = [checkpoint(r, waits=[w]) for r, w in zip(self.runs, armed, strict=True)]
        await self.laboratory.worker().checkpoint(done)
        self.waits = [wait.id for wait in armed]
        await rows(AUTOMATIONS, NAMES)
        self.timers = [row["id"] for row in await rows(TIMERS, NAMES, NOW)]
        self.artifacts = [row["id"] for row in await rows(ARTIFACTS, NAMES)]
        self.parked = [row["id"] for row in await rows(PARKED, NAMES)]
        await rows(OUTBOX, [str(run.id) for run in self.runs])


OWNED = """
    update runs r
       set automation_id = given.name, gate = given.name, owner = $3
      from unnest($1::uuid[], $2::text[]) as given (id, name)
     where r.id = given.id
"""
AUTOMATIONS = """
    with head as (
        insert into automations (id, name, status, version, created_at, updated_at)
        select name, name, 'enabled', 1, now(), now() from unnest($1::text[]) as name
        returning id
    )
    insert into automation_versions (automation_id, version, definition, created_at)
    select id, 1, '{"name": "n", "triggers": [{"event": "e"}]}', now() from head
"""
TIMERS = """
    insert into timers (id, kind, automation_id, trigger_id, topic, schedule, armed_at, due_at)
    select gen_random_uuid(), kind, name, kind, 'x',
           case when kind = 'schedule' then 's' end, $2, $2
      from unnest($1::text[]) as name, unnest(array['hold', 'schedule']) as kind
    returning id
"""
ARTIFACTS = """
    insert into artifacts (id, run_id, automation_id, action_id, artifact_type, data, created_at)
    select gen_random_uuid(), gen_random_uuid(), name, 'a', 't', '{}', now()
      from unnest($1::text[]) as name
    returning id
"""
PARKED = """
    insert into parked_events (id, delivery, automation_id, event_id, subject, headers, body,
        parked_reason, parked_version, parked_tried)
    select gen_random_uuid(), 'S:' || n || ':0', name, 'e', 's', '{}', '{}', 'r', '1',
           array[gen_random_uuid()]
      from unnest($1::text[]) as name, generate_series(1, 3) as n
    returning id
"""
OUTBOX = """
    insert into outbox (topic, seq, subject, message_id, body)
    select topic, seq, 's', topic || seq, '{}'
      from unnest($1::text[]) as topic, generate_series(100, 101) as seq
"""


def armed_wait() -> WaitRow:
    """A wait that is due, for an event too."""
    return WaitRow(
        id=uuid7(), kind="event", path="actions[0]", waiting_for="e", event_id="e",
        armed_at=NOW, due_at=NOW,
    )  # fmt: skip


def checkpoint(run: RunState, status: str = "running", **more: Any) -> Checkpoint:
    """What a walk has done."""
    plain: dict[str, Any] = {"steps": [], "events": [], "artifacts": [], "reason": None}
    return Checkpoint(
        run=run, at=NOW, document=b"{}", error=None,
        status=status,  # type: ignore[arg-type] # of RunStatus, as the tests say
        **plain, **more,
    )  # fmt: skip


def told(ended: Ended) -> EventRow:
    """The last event of a run."""
    return EventRow(str(ended.run.id), 99, "s", f"{ended.run.id}:99", b"{}", NOW)


async def take_events(scene: Scene) -> None:
    """Events that were published twice: their receipts, queues, automations, waits and runs."""
    events = [scene.laboratory.event("e", {}) for _ in NAMES]
    events = [
        Event(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "message_id": name})
        for one, name in zip(events, scene.random.sample(NAMES, len(NAMES)), strict=True)
    ]
    async with Batches(scene.laboratory.database, uuid7()).transaction() as tx:
        await tx.lock_topics(scene.topics(), alone=False)
        await tx.take_receipts(events)
        await tx.keep_recent(events, NOW)
        waits = scene.random.sample(scene.waits, len(scene.waits))
        await tx.warn([(one, "why") for one in waits])
        await tx.lock_keys(scene.random.sample(NAMES, len(NAMES)))
        await tx.lock_automations(scene.random.sample(NAMES, len(NAMES)))
        runs = scene.random.sample([run.id for run in scene.runs], 6)
        await tx.lock_runs(runs, waits[:6])
        await tx.end_runs(runs, CANCELLED)
        await tx.fire([(one, b"{}") for one in waits[:6]], NOW)
        await tx.look_again(dict.fromkeys(waits[:6], (NOW, 1)))


async def look_back(scene: Scene) -> None:
    """Waits look back, and are armed or fired."""
    async with Batches(scene.laboratory.database, uuid7()).transaction() as tx:
        await tx.lock_topics(scene.topics(), alone=True)
        looks = await tx.looking(scene.waits)
        await tx.seen([(one, one.since(NOW), None) for one in looks])
        await tx.lock_runs(scene.random.sample([run.id for run in scene.runs], 6), [])
        await tx.arm_waits([(one.wait.id, one.since(NOW)) for one in looks])
        fired = scene.random.sample(scene.runs, 6)
        await tx.keep_taken([Taken(run.id, "actions[0]", NOW, 1) for run in fired])


async def go_on(scene: Scene) -> None:
    """Walks that go on, and take up waits."""
    done = [checkpoint(r, over=[w]) for r, w in zip(scene.runs, scene.waits, strict=True)]
    await scene.laboratory.worker().checkpoint(done)


async def end_walks(scene: Scene) -> None:
    """Walks that end, or fall asleep; their queues go on, and artifacts are closed."""
    done = [
        checkpoint(
            run,
            "success" if number % 3 else "waiting",
            closed=scene.random.sample(scene.artifacts, 2),
        )
        for number, run in enumerate(scene.runs)
    ]
    await scene.laboratory.worker().checkpoint(done)


async def cancel(scene: Scene) -> None:
    """An operator cancels runs."""
    ids = [run.id for run in scene.random.sample(scene.runs, 8)]
    await WaitStore(scene.laboratory.database, uuid7()).end(ids, CANCELLED, told)


async def change(scene: Scene) -> None:
    """Automations are changed, their timers too."""
    for name in scene.random.sample(NAMES, 3):
        async with AutomationStore(scene.laboratory.database).change() as changing:
            found = await changing.lock(name)
            if found is not None:
                await changing.lock_alone(name)
                await changing.update(found, {}, new_version=False)
                await changing.keep_holds(name, [])
                await changing.set_schedules(name, [(uuid7(), "new", "s", NOW)], NOW)
                await changing.raise_revision()


async def delete(scene: Scene) -> None:
    """An automation is deleted."""
    name = scene.random.choice(NAMES)
    store = AutomationStore(scene.laboratory.database)
    async with store.change() as changing:
        if await changing.lock_alone(name) is not None:
            await changing.delete(name, CANCELLED)
            await changing.raise_revision()
    await store.forget_history(name)


async def fire_due(scene: Scene) -> None:
    """Waits whose time has come."""
    waits = scene.random.sample(scene.waits, len(scene.waits))
    await WaitStore(scene.laboratory.database, uuid7()).fire_due(waits, NOW)


async def take_up(scene: Scene) -> None:
    """Another replica takes up what is ready, and what is left behind."""
    worker = scene.laboratory.worker()
    await worker.claim_ready(4, NOW)
    await worker.adopt(4, [])


async def let_go(scene: Scene) -> None:
    """A replica gives up what it does not walk."""
    given = scene.random.sample([(run.id, run.epoch) for run in scene.runs], len(scene.runs))
    await RunStore(scene.laboratory.database, scene.owner).let_go(given)


async def sweep(scene: Scene) -> None:
    """What nobody has told."""
    await WaitStore(scene.laboratory.database, uuid7()).promote(10)
    await ChildStore(scene.laboratory.database).wake_missed(NOW)


async def ring(scene: Scene) -> None:
    """Holds that are over and schedules that tick."""
    batches = Batches(scene.laboratory.database, uuid7())
    timers, _ = await batches.timers(scene.random.sample(scene.timers, len(scene.timers)))
    async with batches.transaction() as tx:
        await tx.lock_automations([timer.automation_id for timer in timers])
        await tx.take_holds([one.id for one in timers if one.kind == "hold"], NOW)
        for one in timers:
            if one.kind == "schedule":
                await tx.move_schedule(one.id, NOW, NOW + timedelta(seconds=1), None)


async def hold(scene: Scene) -> None:
    """Events arm and disarm by what is kept for their holders."""
    holders = [Holder(name, "hold", name) for name in scene.random.sample(NAMES, len(NAMES))]
    async with Batches(scene.laboratory.database, uuid7()).transaction() as tx:
        await tx.lock_keys([f"h/{one.automation_id}" for one in holders])
        await tx.lock_automations([one.automation_id for one in holders])
        known = await tx.held_events(holders)
        new = [HoldEvent(time=NOW, sequence=n, due_at=NOW) for n in range(3)]
        event = scene.laboratory.event("e", {})
        kept = [KeptEvent(one, what, event) for one in holders for what in new]
        ended = [EndedHold(ArmedHold(one, new[0]), True) for one in scene.timers[:4]]
        dropped = [(one, what) for one, held in known.items() for what in held.events]
        await tx.change_holds(
            HoldChanges(ended, kept, scene.random.sample(dropped, len(dropped)), [])
        )


async def lease(scene: Scene) -> None:
    """A replica takes set-ups and gives them back."""
    setups = SetupStore(scene.laboratory.database, uuid7(), list)
    keys = [(name, trigger) for name in NAMES for trigger in ("A", "b", "B")]
    claimed = await setups.claim(scene.random.sample(keys, len(keys)), 9)
    await setups.release(scene.random.sample(sorted(claimed), len(claimed)))


async def park(scene: Scene) -> None:
    """Events that automations could not be asked about are kept, and told of the others."""
    event = scene.laboratory.event("e", {})
    event = msgspec.structs.replace(event, message=StoredMessage())
    names = scene.random.sample(NAMES, len(NAMES))
    async with Batches(scene.laboratory.database, uuid7()).transaction() as tx:
        await tx.park_events([ParkedEvent(event, name, "no such filter") for name in names])
        await tx.lock_keys(scene.random.sample(NAMES, len(NAMES)))
        await tx.lock_automations(names)


async def judge_parked(scene: Scene) -> None:
    """A replica judges what was parked, and notes what it cannot; it forgets what it has tried."""
    worker_id = uuid7()
    mine = ParkedStore(scene.laboratory.database, worker_id)
    await mine.keep_events([(one, "why") for one in scene.random.sample(scene.parked, 5)])
    await mine.forget_trials()
    async with Batches(scene.laboratory.database, worker_id).transaction() as tx:
        await tx.drop_parked_events(scene.random.sample(scene.parked, 1))
        await tx.lock_keys(scene.random.sample(NAMES, 3))
        await tx.lock_automations(scene.random.sample(NAMES, 3))


async def publish(scene: Scene) -> None:
    """The bus has acknowledged what is in the outbox."""
    outbox = OutboxStore(scene.laboratory.database, uuid7())
    rows, _ = await outbox.of_topics([str(run.id) for run in scene.runs])
    await outbox.forget(scene.random.sample(list(rows), len(rows)))


DOINGS: Final[Mapping[str, Doing]] = {
    one.__name__: one
    for one in (
        take_events, look_back, go_on, end_walks, cancel, change, delete, fire_due, take_up, sweep,
        ring, hold, lease, park, judge_parked, publish, let_go,
    )
}  # fmt: skip


async def test_no_two_transactions_wait_for_each_other(scene: Scene) -> None:
    rings = set()
    for one, other in combinations_with_replacement(DOINGS, 2):
        for _ in range(ROUNDS):
            await scene.fill()
            done = await asyncio.gather(
                *(DOINGS[name](scene) for name in (one, other) * 2), return_exceptions=True
            )
            for error in done:
                if isinstance(error, StoreUnavailable) and "Deadlock" in str(error):
                    rings.add((one, other))
                elif isinstance(error, BaseException):
                    raise error
    assert not rings
