"""Whatever comes first of an event and the wait that looks back: the oldest event ends it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import count
from typing import Any, Final, cast
from uuid import UUID

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from lockstep import walk
from lockstep.cancel import Terminator
from lockstep.matching import Index
from lockstep.model.automations import StoredDefinition
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.messages import Message
from lockstep.model.outbox import EventRow
from lockstep.model.program import Program
from lockstep.model.runs import Checkpoint, Ended, Ending, RunState
from lockstep.model.waits import WaitRow, topic
from lockstep.pipeline import (
    EventPipeline,
    HeldLooks,
    HoldTimes,
    JudgingPace,
    LookBackNews,
    LookBacks,
    PipelineParts,
)
from lockstep.ports.pipeline import Transactions
from lockstep.ports.unhandled import HeldUp, Question
from lockstep.store import AutomationStore, Batches, RecentEvents, WaitStore
from lockstep.store.batch import BatchTransaction
from lockstep.wake import Steady
from patience import briefly
from store_fixture import StoredMessage, StoreFixture, store_fixture

ORDERS: Final = 150
"""Of each kind; without the lock half of them go wrong."""

APART: Final = 40
"""Of two replicas; where the stream was not asked a third of them would go wrong."""

LATEST: Final = 30  # turns that the older one waits, at most: as long as the newer one and a look

MOST_SECONDS: Final = 600.0  # an older event that is not handled holds a look up for so long

OLDEST: Final = [("fired", "event", b'{"n": 1}')]
NEWER: Final = [("fired", "event", b'{"n": 2}')]
LOOKING: Final = [("looking", None, None)]

DEFINITION: Final = {
    "name": "n",
    "triggers": [{"event": "go"}],
    "actions": [{"wait_for_trigger": {"event": "a", "lookback": "run"}}],
}


class Turns:
    """Lets those who act at the same time go on one step after the other, in a random order."""

    def __init__(self, seed: int, *, locks: bool) -> None:
        self.locks = locks
        self._random = random.Random(seed)  # noqa: S311
        self._waiting: dict[int, asyncio.Event] = {}
        self._order: list[int] = []
        self._changed = asyncio.Event()

    async def step(self, who: int) -> None:
        """Wait for the next turn of somebody."""
        turn = self._waiting[who] = asyncio.Event()
        self._changed.set()
        await turn.wait()

    async def let(self, *acting: "asyncio.Task[None]") -> None:
        """Give turns until all have ended. Who waits for a lock has no turn to be given."""
        for one in acting:
            one.add_done_callback(lambda _: self._changed.set())
        while not all(one.done() for one in acting):
            self._changed.clear()
            if self._waiting:
                who = self._random.choice(sorted(self._waiting))
                self._waiting.pop(who).set()
            with suppress(TimeoutError):
                # How long only decides which orders are tried, not what comes of them.
                async with briefly(0.01):
                    await self._changed.wait()
        for one in acting:
            one.result()


class Stepping:
    """`ports.pipeline.Transactions` that take a turn before each statement and each commit."""

    def __init__(self, batches: Batches, turns: Turns, who: int) -> None:
        self._batches, self._turns, self._who = batches, turns, who

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[object]:
        async with self._batches.transaction() as tx:
            yield _Stepping(tx, self._turns, self._who)
            await self._turns.step(self._who)

    def __getattr__(self, name: str) -> object:
        return getattr(self._batches, name)


class _Stepping:
    """One of them; it may leave out the locks."""

    def __init__(self, tx: BatchTransaction, turns: Turns, who: int) -> None:
        self._tx, self._turns, self._who = tx, turns, who

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def stepping(*given: Any, **named: Any) -> Any:
            await self._turns.step(self._who)
            if name == "lock_topics" and not self._turns.locks:
                return None
            return await getattr(self._tx, name)(*given, **named)

        return stepping


class Stream:
    """A `ports.unhandled.Unhandled`: what is in the stream is what nobody has acknowledged."""

    def __init__(self, turns: Turns) -> None:
        self._turns, self._asking = turns, count(100)
        self.left: set[int] = set()
        self.is_asked = True

    async def held_up(self, questions: Sequence[Question]) -> dict[UUID, HeldUp]:
        """Name what is older than the events that were asked about."""
        await self._turns.step(next(self._asking))
        found = {}
        for one in questions:
            assert one.below is not None
            older = sorted(number for number in self.left if number < one.below)
            if older and self.is_asked:
                found[one.id] = HeldUp(reason="not handled", events=len(older), sequence=older[0])
        return found


class NoTypes:
    """What is known of the types of events never changes."""

    events_state = 0


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


class Scene:
    """A run whose wait is about to look back, and events that are about to be handled."""

    def __init__(self, laboratory: StoreFixture, seed: int, *, locks: bool = True) -> None:
        self.laboratory, self.turns = laboratory, Turns(seed, locks=locks)
        self.stream, self.news = Stream(self.turns), LookBackNews()
        times = HoldTimes(pause_seconds=0.05, most_seconds=MOST_SECONDS)
        self.seconds = 0.0  # of the monotonic clock
        self.held = HeldLooks(self.stream, self.news, times, self._steady(), lambda: self.seconds)
        self.index = Index(AutomationStore(laboratory.database), self._compiled, _nothing)
        self.run: RunState | None = None
        self.wait_id = uuid7()
        self.events: list[Event] = []

    def _steady(self) -> Steady:
        return Steady(lambda: 0.0, lambda: self.seconds)

    def _compiled(self, stored: StoredDefinition) -> Program:
        return self.laboratory.program(cast("Any", stored.definition))

    async def fill(self) -> None:
        """Store the automation, the run and its wait; two answers are on their way."""
        await self.laboratory.database.forget_all()
        automations = AutomationStore(self.laboratory.database)
        await automations.insert_many([("lab", "lab", DEFINITION)])
        async with automations.change() as change:
            await change.look_back("lab", 1, ["a"])
        await self.index.at_least(0)
        self.run = await self.laboratory.launch(self.laboratory.program(DEFINITION), {})
        await self.laboratory.worker().checkpoint([stored(self.run, self.wait_id)])
        await self.laboratory.rows("delete from recent_events")
        self.events = [self.laboratory.event("a", {"n": n}) for n in (1, 2)]
        self.stream.left = {one.sequence for one in self.events}

    def parts(self, who: int) -> PipelineParts:
        """What one of those who act at the same time is made of."""
        laboratory, listener = self.laboratory, self.news
        waits = WaitStore(laboratory.database, uuid7())
        batches = Stepping(Batches(laboratory.database, uuid7()), self.turns, who)
        return PipelineParts(
            transactions=cast("Transactions", batches),
            index=self.index,
            places=walk.Places(4),
            terminator=Terminator(waits, laboratory.clock, "p", cast("Any", None), listener),
            compile_filter=laboratory.renderer.expression,
            listener=listener,
            clock=laboratory.clock,
            expiring=cast("Any", None),
            pace=JudgingPace(str),
            decisions_are_kept=lambda: True,
            prefix="p",
        )

    async def handle(self, who: int, events: Sequence[Event]) -> None:
        """Handle events as they come, each in a transaction of its own."""
        by_sequence: Mapping[int, Event] = {one.sequence: one for one in events}

        def decode(message: Message) -> Event:
            return by_sequence[message.sequence]

        known_steps = WaitStore(self.laboratory.database, uuid7()).known_steps
        pipeline = EventPipeline(self.parts(who), decode, NoTypes(), known_steps, None)
        for event in events:
            await pipeline.receive([StoredMessage(sequence=event.sequence)])
            await self.turns.step(who)
            self.stream.left.discard(event.sequence)

    async def look(self, who: int) -> None:
        """Let the wait look back."""
        rows = WaitStore(self.laboratory.database, uuid7())
        await LookBacks(rows, self.news, self.held, self.parts(who)).look([self.wait_id])

    async def play(self, *acting: Coroutine[Any, Any, None]) -> None:
        """Let these act at the same time, in an order that hangs on the seed."""
        await self.turns.let(*(asyncio.create_task(one) for one in acting))

    async def outcome(self) -> list[tuple[str, str | None, bytes | None]]:
        """What has become of the wait, and how often it has taken something."""
        rows = await self.laboratory.rows(
            "select state, cause, payload from waits where id = $1", self.wait_id
        )
        taken = await self.laboratory.rows("select from taken_events")
        assert len(taken) <= 1
        return [(row["state"], row["cause"], row["payload"]) for row in rows]


async def _nothing() -> None:
    pass


def stored(run: RunState, wait_id: UUID) -> Checkpoint:
    """A walk falls asleep on a wait that looks back."""
    wait = WaitRow(
        id=wait_id, kind="event", path="actions[0]", waiting_for="a", event_id="a",
        armed_at=run.started_at, due_at=None, look_back=0.0,
    )  # fmt: skip
    return Checkpoint(
        run=run, at=run.started_at, document=b"{}", status="waiting", reason=None, error=None,
        steps=[], events=[], artifacts=[], waits=[wait],
    )  # fmt: skip


async def played(
    laboratory: StoreFixture, seed: int, *, locks: bool = True
) -> list[tuple[str, str | None, bytes | None]]:
    """Let two answers be handled while the wait looks back, in an order that hangs on a number."""
    scene = Scene(laboratory, seed, locks=locks)
    await scene.fill()
    await scene.turns.let(
        asyncio.create_task(scene.handle(1, scene.events)), asyncio.create_task(scene.look(2))
    )
    await scene.turns.let(asyncio.create_task(scene.look(2)))
    return await scene.outcome()


async def test_the_oldest_event_ends_the_wait_in_every_order(laboratory: StoreFixture) -> None:
    for seed in range(ORDERS):
        assert await played(laboratory, seed) == OLDEST, seed


async def test_without_the_lock_events_are_missed(laboratory: StoreFixture) -> None:
    for seed in range(ORDERS):
        if await played(laboratory, seed, locks=False) != OLDEST:
            return
    pytest.fail("every order went well without it")


async def apart(laboratory: StoreFixture, seed: int) -> list[tuple[str, str | None, bytes | None]]:
    """Let two replicas handle an answer each while another one looks, then look once more."""
    scene = Scene(laboratory, seed)
    await scene.fill()
    older, newer = scene.events

    async def handle_late() -> None:
        for _ in range(seed % LATEST):
            await scene.turns.step(1)
        await scene.handle(1, [older])

    async def look() -> None:
        for _ in range(4):
            await scene.look(3)

    await scene.play(handle_late(), scene.handle(2, [newer]), look())
    await scene.play(scene.look(5))
    return await scene.outcome()


async def test_the_oldest_event_ends_the_wait_whoever_handles_it_when(
    laboratory: StoreFixture,
) -> None:
    for seed in range(APART):
        assert await apart(laboratory, seed) == OLDEST, seed


async def test_without_asking_what_is_not_handled_a_newer_event_is_taken(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    scene.stream.is_asked = False
    older, newer = scene.events
    await scene.play(scene.look(1))
    await scene.play(scene.handle(2, [newer]))
    await scene.play(scene.look(3))
    await scene.play(scene.handle(2, [older]))
    await scene.play(scene.look(4))
    assert await scene.outcome() == NEWER


@pytest.mark.parametrize("is_armed", [False, True])
async def test_a_newer_event_waits_for_the_older_one_and_the_time_of_the_wait_does_not_end_it(
    laboratory: StoreFixture, is_armed: bool
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    older, newer = scene.events
    if is_armed:
        await scene.play(scene.look(1))
    await scene.play(scene.handle(2, [newer]))
    await scene.play(scene.look(3))
    assert await scene.outcome() == LOOKING
    due = "update waits set due_at = $1"
    await laboratory.rows(due, newer.time)
    waits = WaitStore(laboratory.database, uuid7())
    late = newer.time + timedelta(hours=1)
    assert await waits.fire_due([scene.wait_id], late) == []
    await scene.play(scene.handle(2, [older]))
    assert await scene.outcome() == LOOKING
    await scene.play(scene.look(4))
    assert await scene.outcome() == OLDEST


async def test_a_replica_that_knows_nothing_of_a_look_that_is_held_up_goes_on_with_it(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    older, newer = scene.events
    await scene.play(scene.look(1), scene.handle(2, [newer]))
    rows = WaitStore(laboratory.database, uuid7())
    assert await rows.looking(None, 9) == [scene.wait_id]
    other = Scene(laboratory, 0)
    other.run, other.wait_id, other.events = scene.run, scene.wait_id, scene.events
    await other.index.at_least(0)
    other.stream.left = scene.stream.left
    await other.play(other.look(1))
    assert await other.outcome() == LOOKING
    await other.play(other.handle(2, [older]))
    await other.play(other.look(1))
    assert await other.outcome() == OLDEST


async def test_a_newer_event_is_taken_where_the_older_one_is_not_handled_for_too_long(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    await scene.play(scene.handle(1, scene.events[1:]))
    await scene.play(scene.look(2))
    scene.seconds += MOST_SECONDS - 1
    await scene.play(scene.look(2))
    assert await scene.outcome() == LOOKING
    scene.seconds += 1
    with capture_logs() as logs:
        await scene.play(scene.look(2))
    assert await scene.outcome() == NEWER
    (told,) = [line for line in logs if line["event"] == "event.overtaken"]
    assert told["wait_id"] == str(scene.wait_id)


async def test_a_run_that_is_ended_while_its_look_is_held_up_takes_nothing(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    await scene.play(scene.handle(1, scene.events[1:]))
    await scene.play(scene.look(2))
    assert scene.run is not None
    waits = WaitStore(laboratory.database, uuid7())
    ending = Ending(status="cancelled", reason="no more", at=laboratory.clock.now())
    ended = await waits.end([scene.run.id], ending, told)
    assert [one.run.id for one in ended] == [scene.run.id]
    await scene.play(scene.look(2), scene.handle(1, scene.events[:1]))
    await scene.play(scene.look(2))
    assert await scene.outcome() == []


def told(ended: Ended) -> EventRow:
    """The last event of a run."""
    return EventRow(str(ended.run.id), 99, "s", f"{ended.run.id}:99", b"{}", ended.ending.at)


async def test_looking_back_twice_changes_nothing(laboratory: StoreFixture) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    looks = [asyncio.create_task(scene.look(who)) for who in (1, 2, 3)]
    await scene.turns.let(*looks)
    assert await scene.outcome() == [("armed", None, None)]
    await scene.turns.let(asyncio.create_task(scene.handle(4, scene.events)))
    assert await scene.outcome() == LOOKING
    assert await scene.news.next() == [scene.wait_id]
    await scene.turns.let(asyncio.create_task(scene.look(5)))
    assert await scene.outcome() == OLDEST


async def test_what_is_old_or_for_nobody_is_forgotten_and_the_oldest_where_there_is_no_room(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    await scene.turns.let(asyncio.create_task(scene.handle(1, scene.events)))
    kept = "select sequence from recent_events order by sequence"
    numbers = [one.sequence for one in scene.events]
    now = scene.events[0].time
    store = RecentEvents(laboratory.database, 1 << 20)
    assert not await store.forget(now + timedelta(days=6), 10)
    assert not await store.drop(10)
    assert [row["sequence"] for row in await laboratory.rows(kept)] == numbers
    assert not await RecentEvents(laboratory.database, scene.events[1].size).drop(10)
    assert [row["sequence"] for row in await laboratory.rows(kept)] == numbers[1:]
    (mark,) = await laboratory.rows("select event_id, topic, sequence from dropped_events")
    assert tuple(mark) == ("a", topic("a", None), numbers[0])
    await store.forget(now + timedelta(days=8), 10)
    assert [row["sequence"] for row in await laboratory.rows(kept)] == numbers[1:], "a run may ask"
    await laboratory.rows("update runs set trigger_time = trigger_time + interval '8 days'")
    await store.forget(now + timedelta(days=8), 10)
    assert await laboratory.rows(kept) == []
    (mark,) = await laboratory.rows("select event_id, topic, sequence from dropped_events")
    assert tuple(mark) == ("a", topic("a", None), numbers[1])
    await scene.turns.let(asyncio.create_task(scene.look(2)))
    assert (await scene.outcome())[0][0] == "armed"
    await laboratory.rows("update automation_versions set looks_back = null")
    more = [laboratory.event("a", {"n": 3})]
    await scene.turns.let(asyncio.create_task(scene.handle(3, more)))
    assert len(await laboratory.rows(kept)) == 1
    await store.forget(now, 10)
    assert await laboratory.rows(kept) == []
    assert await laboratory.rows("select from dropped_events") == []


async def dropped(scene: Scene, keys: Sequence[str], most_marks: int) -> list[Event]:
    """Have an event of each key handled and dropped, oldest first; room is for so many marks."""
    await scene.fill()
    events = [scene.laboratory.event("a", {}, key) for key in keys]
    await scene.play(scene.handle(1, events))
    store = RecentEvents(scene.laboratory.database, 0, most_marks)
    while await store.drop(1):
        pass
    return events


async def awaiting_the_ninth(laboratory: StoreFixture) -> Scene:
    """A wait that was armed when it had looked at two events that are not for it."""
    scene = Scene(laboratory, 0)
    await scene.fill()
    await laboratory.rows("update waits set filter = 'trigger.payload.n == 9'")
    await scene.play(scene.handle(1, scene.events))
    await scene.play(scene.look(2))
    assert (await scene.outcome())[0][0] == "armed"
    return scene


async def handled(scene: Scene, *numbers: int) -> list[Event]:
    """Have answers with these numbers handled, one after the other."""
    events = [scene.laboratory.event("a", {"n": n}) for n in numbers]
    await scene.play(scene.handle(3, events))
    return events


async def test_what_a_wait_has_looked_at_may_be_dropped_once_it_is_armed(
    laboratory: StoreFixture,
) -> None:
    scene = await awaiting_the_ninth(laboratory)
    await handled(scene, 3, 4)
    await RecentEvents(laboratory.database, 0).drop(10)
    await handled(scene, 9)
    await scene.play(scene.look(2))
    assert await scene.outcome() == [("fired", "event", b'{"n": 9}')]


async def test_one_for_which_what_it_was_told_of_was_dropped_says_so(
    laboratory: StoreFixture,
) -> None:
    scene = await awaiting_the_ninth(laboratory)
    await handled(scene, 9, 3)
    await RecentEvents(laboratory.database, 0).drop(10)
    await scene.play(scene.look(2))
    assert [one[:2] for one in await scene.outcome()] == [("fired", "incomplete")]


async def test_what_it_was_told_of_is_the_first_of_several(laboratory: StoreFixture) -> None:
    scene = await awaiting_the_ninth(laboratory)
    first, *_ = await handled(scene, 9, 9, 9)
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        (look,) = await tx.looking([scene.wait_id])
    assert look.came == (first.time, first.sequence)


@pytest.mark.parametrize(("most", "joined"), [(4, None), (3, 0), (1, 2), (0, 3)])
async def test_of_the_oldest_dropped_events_beyond_a_number_only_the_id_is_remembered(
    laboratory: StoreFixture, most: int, joined: int | None
) -> None:
    scene = Scene(laboratory, 0)
    events = await dropped(scene, ["k0", "k1", "k2", "k3"], most)
    marks = "select event_id, sequence from dropped_events where topic {} '' order by sequence"
    kept = [row["sequence"] for row in await laboratory.rows(marks.format("<>"))]
    assert kept == [one.sequence for one in events[4 - most :]]
    whole = [tuple(row) for row in await laboratory.rows(marks.format("="))]
    assert whole == ([] if joined is None else [("a", events[joined].sequence)])
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        (look,) = await tx.looking([scene.wait_id])
    mark = None if joined is None else (events[joined].time, events[joined].sequence)
    assert look.dropped == mark
    assert look.may_lack(look.since(scene.laboratory.clock.now())) == (joined is not None)


async def test_the_later_one_counts_of_what_was_dropped_of_a_key_and_of_all_keys(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    events = await dropped(scene, ["k0", "k1", "k0", "k1"], 1)
    key = "update waits set context_key = $1, topic = $2"
    for number, seen in ((0, 2), (1, 3)):
        context_key = events[number].context_key
        await laboratory.rows(key, context_key, topic("a", context_key))
        async with Batches(laboratory.database, uuid7()).transaction() as tx:
            (look,) = await tx.looking([scene.wait_id])
        assert look.dropped == (events[seen].time, events[seen].sequence)


async def test_replicas_that_drop_events_at_the_same_time_remember_all_of_them(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    events = [laboratory.event("a", {}, f"k{number % 20}") for number in range(200)]
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        await tx.keep_recent(random.Random(1).sample(events, 200), events[0].time)  # noqa: S311

    async def drop() -> None:
        store = RecentEvents(laboratory.database, 0, 5)
        while await laboratory.rows("select from recent_events limit 1"):
            await store.drop(7)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(drop())
    marks = await laboratory.rows("select topic, sequence from dropped_events")
    (whole,) = [row["sequence"] for row in marks if not row["topic"]]
    newest = {topic(one.id, one.context_key): one.sequence for one in events}
    known = {row["topic"]: row["sequence"] for row in marks}
    for one, sequence in newest.items():
        assert max(known.get(one, 0), whole) >= sequence


async def test_marks_of_events_on_which_no_version_looks_back_are_forgotten(
    laboratory: StoreFixture,
) -> None:
    scene = Scene(laboratory, 0)
    (event,) = await dropped(scene, ["k"], 1)
    store = RecentEvents(laboratory.database, 0)
    await store.forget(event.time, 10)
    assert len(await laboratory.rows("select from dropped_events")) == 1
    await laboratory.rows("update automation_versions set looks_back = array['b']")
    await store.forget(event.time, 10)
    assert await laboratory.rows("select from dropped_events") == []


@pytest.mark.parametrize(
    ("replaced", "active", "is_kept"),
    [(6, False, True), (8, False, False), (8, True, True), (None, False, True)],
)
async def test_a_version_looks_back_as_long_as_its_runs_or_retries_of_them_may(
    laboratory: StoreFixture, replaced: int | None, active: bool, is_kept: bool
) -> None:
    scene = Scene(laboratory, 0)
    await scene.fill()
    now = laboratory.clock.now()
    if not active:
        await laboratory.rows(
            "update runs set status = 'failed', owner = null, finished_at = $1", now
        )
    if replaced is not None:
        later = (
            "insert into automation_versions (automation_id, version, definition, created_at)"
            " values ('lab', 2, '{}', $1)"
        )
        await laboratory.rows(later, now - timedelta(days=replaced))
    await RecentEvents(laboratory.database, 0).forget(now, 10)
    async with Batches(laboratory.database, uuid7()).transaction() as tx:
        (look,) = await tx.looking([scene.wait_id])
    assert look.is_kept == is_kept
    assert look.may_lack(look.since(now)) != is_kept
