"""The outbox: committed events reach the bus, in order for each topic, whatever is away."""

import asyncio
from collections.abc import Sequence, Set
from datetime import datetime

import pytest
from structlog.testing import capture_logs

from lockstep.bus.errors import BadMessage, MessageTooLarge
from lockstep.model.errors import ServerUnfit
from lockstep.model.outbox import EventRow
from lockstep.report import Reporter
from lockstep.report.outbox import (
    FORGET_AT_ONCE,
    IN_FLIGHT,
    OVERDUE_SECONDS,
    REFUSED_SECONDS,
    SWEEP_ROWS,
)
from unit.fakes import Away, Bus
from unit.moved import Background, Clock, moved, turns
from unit.values import NOW, later, row

WINDOW = 120.0  # seconds in which the stream knows the ids of messages


class Table:
    """The outbox, in a dictionary."""

    def __init__(self) -> None:
        self.away = Away()
        self.rows: dict[tuple[str, int], EventRow] = {}
        self.parked: dict[tuple[str, int], str] = {}
        self.old: list[EventRow] = []
        self.asked: list[list[str]] = []
        self.forgotten: list[int] = []  # how many at once

    def add(self, *rows: EventRow) -> Sequence[EventRow]:
        """Commit events."""
        self.rows |= {(one.topic, one.seq): one for one in rows}
        return rows

    async def of_topics(self, topics: Sequence[str]) -> tuple[Sequence[EventRow], Set[str]]:
        """See `Outbox`."""
        self.asked.append([*topics])
        rows = {key: one for key, one in sorted(self.rows.items()) if key[0] in topics}
        held = {topic for topic, _ in self.parked if topic in topics}
        before = [
            one
            for (topic, seq), one in rows.items()
            if all(seq < behind for other, behind in self.parked if other == topic)
        ]
        return before, held

    async def park(self, row: EventRow, reason: str) -> None:
        """See `Outbox`."""
        self.away.check()
        self.parked[row.topic, row.seq] = reason

    async def overdue(self, seconds: float, limit: int) -> Sequence[EventRow]:
        """See `Outbox`."""
        assert (seconds, limit) == (OVERDUE_SECONDS, SWEEP_ROWS)
        return self.old

    async def forget(self, rows: Sequence[EventRow]) -> None:
        """See `Outbox`."""
        self.away.check()
        self.forgotten.append(len(rows))
        for one in rows:
            del self.rows[one.topic, one.seq]


class SlowTable(Table):
    """An outbox whose answer takes so long that all of it is forgotten meanwhile."""

    async def of_topics(self, topics: Sequence[str]) -> tuple[Sequence[EventRow], Set[str]]:
        """See `Outbox`."""
        found = await super().of_topics(topics)
        while self.rows:
            await asyncio.sleep(0.1)  # of the moved clock
        return found


class Stored:
    """Looks into a bus for what it holds."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.gone = bus, Away(ServerUnfit("no stream"))
        self.asked: list[tuple[str, datetime]] = []

    async def has(self, sought: EventRow, since: datetime) -> bool:
        """See `Stream`."""
        self.gone.check()
        self.asked.append((sought.message_id, since))
        return sought.message_id in self.bus.stored


class Scene:
    """A reporter between its table and its bus."""

    def __init__(self, table: Table | None = None) -> None:
        self.table, self.bus = table or Table(), Bus()
        self.stream = Stored(self.bus)
        self.reporter = Reporter(self.table, self.bus, self.stream, Clock(), WINDOW)

    def offer(self, *rows: EventRow) -> None:
        """Commit events and hand them over, as the engine does."""
        self.reporter.offer(self.table.add(*rows))


def ids(topic: str, *seqs: int) -> list[str]:
    """The message ids of events."""
    return [f"{topic}:{seq}" for seq in seqs]


@moved
async def test_what_is_committed_is_published_and_then_forgotten() -> None:
    scene = Scene()
    scene.offer(row(seq=1), row(seq=2), row(seq=3))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.stored == ids("run", 1, 2, 3)
    assert scene.table.rows == {}


@moved
async def test_of_a_topic_one_is_unacknowledged_at_most_while_other_topics_go_on() -> None:
    scene = Scene()
    scene.bus.acknowledges.clear()
    scene.offer(row("x", 1), row("x", 2), row("y", 1), row("y", 2))
    async with Background(scene.reporter.run()):
        await asyncio.sleep(60)
        assert scene.bus.unacknowledged == {"x:1", "y:1"}
        assert len(scene.table.rows) == 4  # nothing is forgotten before its acknowledgement
        scene.bus.acknowledges.set()
        await scene.reporter.drained()
    for topic in ("x", "y"):
        told = [name for name in scene.bus.stored if name.startswith(topic)]
        assert told == ids(topic, 1, 2)


@moved
async def test_a_topic_that_waits_longest_has_its_turn_first() -> None:
    scene = Scene()
    scene.offer(*(row("long", seq) for seq in range(1, 4)), row("short", 1))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.stored.index("short:1") < scene.bus.stored.index("long:2")


@moved
async def test_not_more_than_so_many_are_on_their_way_at_once() -> None:
    scene = Scene()
    scene.bus.acknowledges.clear()
    scene.offer(*(row(f"run-{number}") for number in range(IN_FLIGHT + 10)))
    async with Background(scene.reporter.run()):
        await turns()
        assert len(scene.bus.unacknowledged) == IN_FLIGHT
        scene.bus.acknowledges.set()
        await scene.reporter.drained()
    assert scene.bus.most_unacknowledged == IN_FLIGHT
    assert len(scene.bus.stored) == IN_FLIGHT + 10


@moved
async def test_while_the_bus_is_away_an_event_is_tried_again_and_none_overtakes_it() -> None:
    scene = Scene()
    scene.bus.away.times = 7
    scene.offer(row(seq=1), row(seq=2))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.attempts == ids("run", *[1] * 8, 2)
    assert scene.bus.stored == ids("run", 1, 2)
    assert scene.stream.asked == []  # within half the window the stream itself knows the id


@moved
async def test_an_event_that_is_tried_for_long_is_looked_for_before_it_is_published_again() -> None:
    """Its acknowledgement may be what was lost, and the stream forgets ids."""
    scene = Scene()
    scene.bus.away.times = 1000
    scene.offer(row())
    async with Background(scene.reporter.run()):
        await asyncio.sleep(WINDOW)
        assert scene.bus.stored == []
        scene.bus.stored.append("run:1")  # it was stored, its acknowledgement lost
        await scene.reporter.drained()
    assert scene.bus.stored == ["run:1"]
    assert scene.stream.asked[0] == ("run:1", NOW)
    assert scene.table.rows == {}


@moved
async def test_a_row_older_than_half_the_duplicate_window_is_looked_for_first() -> None:
    scene = Scene()
    old, young = later(-WINDOW / 2), later(-WINDOW / 2 + 1)
    scene.bus.stored += ["there:1"]
    scene.offer(row("there", 1, old), row("lost", 1, old), row("young", 1, young))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert sorted(scene.stream.asked) == [("lost:1", old), ("there:1", old)]
    assert sorted(scene.bus.attempts) == ["lost:1", "young:1"]
    assert scene.table.rows == {}


@moved
async def test_what_cannot_be_forgotten_yet_is_forgotten_later_and_not_published_again() -> None:
    scene = Scene()
    scene.table.away.times = 3
    scene.offer(row())
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.attempts == ["run:1"]
    assert scene.table.rows == {}


@moved
async def test_events_are_forgotten_many_at_once_and_not_too_many() -> None:
    scene = Scene()
    scene.table.away.times = 1  # meanwhile all are acknowledged
    scene.offer(*(row(f"run-{number}") for number in range(FORGET_AT_ONCE + 5)))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.table.forgotten == [FORGET_AT_ONCE, 5]


@moved
async def test_drained_returns_when_the_last_is_forgotten_and_at_once_where_there_is_none() -> None:
    scene = Scene()
    await scene.reporter.drained()
    scene.bus.acknowledges.clear()
    scene.offer(row())
    drained = asyncio.create_task(scene.reporter.drained())
    async with Background(scene.reporter.run()):
        await asyncio.sleep(60)
        assert not drained.done()
        scene.bus.acknowledges.set()
        await drained
    assert scene.table.rows == {}


@moved
async def test_an_event_says_its_id_its_format_and_its_trace() -> None:
    scene = Scene()
    scene.offer(EventRow("run", 1, "lockstep.run.a.started", "id", b"{}", NOW, "00-1-2-01"))
    scene.offer(row("other"))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.headers["id"]["traceparent"] == "00-1-2-01"
    assert "traceparent" not in scene.bus.headers["other:1"]
    assert scene.bus.headers["other:1"] == {
        "Nats-Msg-Id": "other:1",
        "Lockstep-Format": "1",
        "content-type": "application/cloudevents+json",
    }


@moved
async def test_what_another_worker_has_committed_of_a_topic_goes_first() -> None:
    scene = Scene()
    scene.table.add(row(seq=1), row(seq=2))
    await scene.reporter.take_over(["run"])
    scene.offer(row(seq=3))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.stored == ids("run", 1, 2, 3)


@moved
async def test_a_topic_that_is_published_here_already_is_not_published_twice() -> None:
    """The first may be on its way; what is stored before it was acknowledged."""
    scene = Scene()
    scene.offer(row(seq=2), row(seq=4))
    scene.table.add(row(seq=1), row(seq=3), row(seq=5))
    await scene.reporter.take_over(["run"])
    async with Background(scene.reporter.run()):
        await turns()
    assert scene.bus.attempts == ids("run", 2, 3, 4, 5)


@moved
async def test_what_is_acknowledged_and_not_forgotten_yet_is_not_published_again() -> None:
    """Its run is woken and claimed at once: who listens without the stream would hear it twice."""
    scene = Scene()
    scene.table.away.times = 1
    scene.offer(row(seq=1), row(seq=2))
    async with Background(scene.reporter.run()):
        await turns()
        scene.table.add(row(seq=3))
        await scene.reporter.take_over(["run"])
        await turns()
        assert scene.bus.attempts == ids("run", 1, 2, 3)
        await scene.reporter.drained()
    assert scene.bus.attempts == ids("run", 1, 2, 3)
    assert scene.table.rows == {}


@moved
async def test_what_is_forgotten_while_it_is_read_is_not_published_again() -> None:
    scene = Scene(SlowTable())
    scene.table.away.times = 1
    scene.offer(row(seq=1))
    async with Background(scene.reporter.run()):
        await turns()
        await scene.reporter.take_over(["run"])
        await scene.reporter.drained()
    assert scene.bus.attempts == ids("run", 1)


@moved
async def test_the_sweep_publishes_what_a_dead_worker_left_with_all_of_its_topic() -> None:
    scene = Scene()
    scene.offer(row("mine", 1))
    scene.table.add(row("dead", 1), row("dead", 2))
    scene.table.old = [row("dead", 1), row("mine", 1)]
    await scene.reporter.sweep()
    assert scene.table.asked == [["dead"]]  # what is on its way here needs no sweep
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert sorted(scene.bus.attempts) == ["dead:1", "dead:2", "mine:1"]
    assert scene.table.rows == {}


@moved
async def test_a_sweep_that_finds_nothing_asks_for_nothing() -> None:
    scene = Scene()
    await scene.reporter.sweep()
    assert scene.table.asked == []


@moved
async def test_after_an_outage_of_the_store_and_of_the_bus_every_topic_is_in_order() -> None:
    scene = Scene()
    scene.bus.away.times = 40
    scene.table.away.times = 5
    async with Background(scene.reporter.run()):
        for seq in range(1, 6):
            scene.offer(*(row(f"run-{number}", seq) for number in range(10)))
            await asyncio.sleep(0.3)
        await scene.reporter.drained()
    for number in range(10):
        told = [name for name in scene.bus.stored if name.startswith(f"run-{number}:")]
        assert told == ids(f"run-{number}", 1, 2, 3, 4, 5)


@pytest.mark.parametrize("error", [ServerUnfit("no stream"), LookupError("a fault of ours")])
@moved
async def test_an_event_that_the_bus_refuses_holds_back_its_own_topic_alone(
    error: Exception,
) -> None:
    scene = Scene()
    scene.bus.refused["big:2"] = error
    with capture_logs() as logs:
        async with Background(scene.reporter.run()):
            scene.offer(*(row("big", seq) for seq in range(1, 4)), row("other", 1))
            await turns()
            scene.offer(*(row(f"later-{number}", 1) for number in range(2 * IN_FLIGHT)))
            await turns()
    assert len(scene.bus.stored) == 2 + 2 * IN_FLIGHT
    assert "big:3" not in scene.bus.attempts
    assert [*scene.table.rows] == [("big", 2), ("big", 3)]  # kept for whoever mends it
    (line,) = logs
    assert (line["event"], line["message_id"]) == ("event.unpublished", "big:2")


@pytest.mark.parametrize("error", [MessageTooLarge("2 MB"), BadMessage("subject 'a b'")])
@moved
async def test_an_event_that_the_bus_will_never_take_is_parked_and_holds_back_its_topic_alone(
    error: Exception,
) -> None:
    scene = Scene()
    scene.bus.refused["big:2"] = error
    async with Background(scene.reporter.run()):
        scene.offer(*(row("big", seq) for seq in range(1, 4)), row("other", 1))
        await turns()
        scene.offer(row("big", 4), row("other", 2))
        await scene.reporter.drained()
        assert scene.table.parked == {("big", 2): str(error)}
        assert scene.bus.stored == [*ids("big", 1), *ids("other", 1, 2)]
        assert [*scene.table.rows] == [("big", seq) for seq in (2, 3, 4)]
        # What a replica takes over stays behind the row too, until that is released.
        await scene.reporter.take_over(["big"])
        await turns()
        assert scene.bus.attempts.count("big:2") == 1
        scene.bus.refused.clear()
        scene.table.parked.clear()
        await scene.reporter.take_over(["big"])
        await scene.reporter.drained()
    assert scene.bus.stored[-3:] == ids("big", 2, 3, 4)


@moved
async def test_an_event_is_parked_as_soon_as_the_store_is_back() -> None:
    scene = Scene()
    scene.bus.refused["big:1"] = MessageTooLarge("2 MB")
    scene.table.away.times = 1
    async with Background(scene.reporter.run()):
        scene.offer(row("big", 1))
        await turns()
        assert scene.table.parked == {}
        await scene.reporter.drained()
    assert [*scene.table.parked] == [("big", 1)]


@moved
async def test_an_event_that_the_bus_refused_is_published_when_it_takes_it() -> None:
    scene = Scene()
    scene.bus.refused["big:1"] = ServerUnfit("no stream takes it")
    async with Background(scene.reporter.run()):
        scene.offer(row("big", 1), row("big", 2))
        await asyncio.sleep(1.5 * REFUSED_SECONDS)
        assert scene.bus.attempts == ["big:1"] * 2
        scene.bus.refused.clear()
        await scene.reporter.drained()
    assert scene.bus.stored == ids("big", 1, 2)


@moved
async def test_what_was_on_its_way_when_the_loop_was_cut_off_is_published_by_the_next() -> None:
    scene = Scene()
    scene.bus.acknowledges.clear()
    scene.offer(*(row(f"run-{number}", seq) for number in range(3) for seq in (1, 2)))
    async with Background(scene.reporter.run()):
        await turns()
    scene.bus.acknowledges.set()
    scene.bus.unacknowledged.clear()
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.table.rows == {}
    assert len(scene.bus.stored) == 6


@moved
async def test_what_was_committed_before_the_replica_was_frozen_is_looked_for_first() -> None:
    """Another one has published and forgotten it meanwhile, and the stream forgot its id."""
    scene = Scene()
    scene.offer(row("told", 1), row("untold", 1))
    await asyncio.sleep(2 * WINDOW)  # nothing runs
    scene.bus.stored.append("told:1")
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.attempts == ["untold:1"]
    assert sorted(scene.stream.asked) == [("told:1", NOW), ("untold:1", NOW)]


@moved
async def test_a_stream_that_is_gone_is_waited_for_where_it_is_looked_into() -> None:
    scene = Scene()
    scene.stream.gone.times = 3
    scene.offer(row("run", 1, later(-WINDOW)))
    async with Background(scene.reporter.run()):
        await scene.reporter.drained()
    assert scene.bus.stored == ["run:1"]
    assert asyncio.get_running_loop().time() < REFUSED_SECONDS
