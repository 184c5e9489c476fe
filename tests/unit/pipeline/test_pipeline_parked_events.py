"""Parked events: each is judged, or buried, for itself; what fails for one stops no other."""

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from lockstep.model.errors import StoreTooSlow, Unavailable
from lockstep.model.events import Event, Poison
from lockstep.model.messages import Message
from lockstep.model.new_runs import NewRun
from lockstep.model.parked import Row, StoredMessage, StoredParkedEvent, why
from lockstep.pipeline import EventPipeline, ParkedEvents
from unit.moved import moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import automation, event, uid

SLOW = StoreTooSlow("canceling statement due to statement timeout")


class Apart:
    """Parked events by number, and the dead letters that some become."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways
        self.faults: dict[str, Exception] = {}  # by the call and the number of its event
        self.kept: dict[int, str] = {}
        self.sent: list[int] = []
        self.dropped: list[int] = []
        self.on_read: Callable[[], None] = lambda: None

    def park(self, *numbers: int) -> None:
        """Have events parked for the automation `a`."""
        self.ways.tx.parked_events = {uid(number) for number in numbers}

    def check(self, call: str, number: int) -> None:
        """Raise what a call is to raise."""
        if fault := self.faults.get(f"{call} {number}"):
            raise fault

    async def untried_events(self, limit: int) -> Sequence[UUID]:
        """See `ParkedEventRows`."""
        return sorted(self.ways.tx.parked_events)

    async def event(self, event_id: UUID) -> StoredParkedEvent | None:
        """See `ParkedEventRows`."""
        self.check("event", event_id.int)
        self.on_read()
        message = StoredMessage(
            subject="e", data=b"", headers={}, stream="E", sequence=event_id.int, stored_at_ns=0
        )
        return StoredParkedEvent(
            id=event_id, message=message, automation_id="a", wait_id=None, reason="none", time=None
        )

    async def event_to_bury(self, event_id: UUID) -> StoredParkedEvent | None:
        """See `ParkedEventRows`."""
        return await self.event(event_id)

    async def keep_events(self, events: Sequence[Row]) -> None:
        """See `ParkedEventRows`."""
        for event_id, reason in events:
            self.check("keep", event_id.int)
            self.kept[event_id.int] = reason

    async def old_events(self, hours: float, limit: int) -> Sequence[UUID]:
        """See `ParkedEventRows`."""
        return sorted(self.ways.tx.parked_events)

    async def forget_events(self, limit: int) -> int:
        """See `ParkedEventRows`."""
        return 0

    async def drop_event(self, event_id: UUID) -> None:
        """See `ParkedEventRows`."""
        self.check("drop", event_id.int)
        self.dropped.append(event_id.int)

    async def send(self, message: Message, reason: str, only: str | None = None) -> bool:
        """See `ports.bus.LettersForOne`."""
        self.check("send", message.sequence)
        self.sent.append(message.sequence)
        return True


class Scene:
    """A replica that knows the automation `a`, and the types as often as they have changed."""

    def __init__(self) -> None:
        self.ways = Ways(automation())
        self.apart = Apart(self.ways)
        self.events_state = 0
        self.unknown_until = 0  # the state of the types that knows the event
        pipeline = EventPipeline(self.ways.parts, self._decode, self, lambda _: self._none(), None)
        self.events = ParkedEvents(
            self.apart, pipeline, self._decode, self.ways.parts, self.apart, 72
        )

    async def _none(self) -> set[tuple[UUID, str]]:
        return set()

    def _decode(self, message: Message) -> Event | Poison:
        if self.events_state < self.unknown_until:
            return Poison(message, "unknown event")
        return event(message.sequence)

    def change(self) -> None:
        """Have another type registered."""
        self.events_state += 1

    @property
    def started(self) -> list[int]:
        """The events that have started runs."""
        return [one.match.event.sequence for one in self.ways.tx.new_runs]

    def fail(self, number: int, error: Exception) -> None:
        """Have the storing of the run of one event fail."""

        def on_create(new_runs: Sequence[NewRun]) -> None:
            if any(one.match.event.sequence == number for one in new_runs):
                raise error

        self.ways.tx.on_create = on_create


@moved
async def test_a_type_that_is_registered_while_an_event_is_judged_has_it_judged_again() -> None:
    scene = Scene()
    scene.apart.park(1)
    await scene.ways.index.refresh()

    def change(_: Sequence[UUID]) -> None:
        scene.ways.tx.number += 1  # the index is loaded again within the transaction
        scene.ways.source.number += 1
        scene.ways.tx.on_drop = lambda _: None

    scene.ways.on_types, scene.ways.tx.on_drop = scene.change, change
    await scene.events.judge(10)
    assert (scene.started, scene.apart.kept, scene.events_state) == ([1], {}, 1)


@moved
async def test_an_event_whose_type_was_registered_a_moment_ago_is_judged() -> None:
    """Between the look at the types and the reading of the event."""
    scene = Scene()
    scene.apart.park(1)
    scene.unknown_until = 2
    scene.change()
    await scene.ways.index.refresh()
    scene.ways.on_types = scene.change

    def register() -> None:
        scene.ways.source.number += 1

    scene.apart.on_read = register
    await scene.events.judge(10)
    assert (scene.started, scene.apart.kept) == ([1], {})


@pytest.mark.parametrize("error", [RuntimeError(), StoreTooSlow(), KeyError(), Exception(" ")])
@moved
async def test_no_reason_is_empty(error: Exception) -> None:
    assert type(error).__name__ in why(error)
    scene = Scene()
    scene.apart.park(1)
    scene.fail(1, error)
    await scene.events.judge(10)
    assert type(error).__name__ in scene.apart.kept[1]


@pytest.mark.parametrize("error", [SLOW, ValueError("odd")])
@pytest.mark.parametrize("where", ["reading", "storing"])
@moved
async def test_one_that_takes_too_long_is_kept_with_that_and_the_others_are_judged(
    where: str, error: Exception
) -> None:
    scene = Scene()
    scene.apart.park(1, 2, 3)
    if where == "storing":
        scene.fail(1, error)
    else:
        scene.apart.faults["event 1"] = error
    await scene.events.judge(10)
    assert scene.started == [2, 3]
    assert str(error) in scene.apart.kept[1]


@moved
async def test_one_whose_reason_cannot_be_noted_is_told_of_and_the_others_are_judged() -> None:
    scene = Scene()
    scene.apart.park(1, 2)
    scene.fail(1, SLOW)
    scene.apart.faults["keep 1"] = SLOW
    with capture_logs() as logs:
        await scene.events.judge(10)
    assert scene.started == [2]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["event.unjudged"]


@moved
async def test_where_the_store_is_away_no_other_is_tried() -> None:
    scene = Scene()
    scene.apart.park(1, 2)
    scene.fail(1, Unavailable("away"))
    with pytest.raises(Unavailable):
        await scene.events.judge(10)
    assert (scene.started, scene.apart.kept) == ([], {})


@pytest.mark.parametrize("error", [SLOW, ValueError("odd")])
@pytest.mark.parametrize("call", ["event 1", "send 1", "drop 1"])
@moved
async def test_what_fails_for_one_that_is_too_old_keeps_no_other_from_its_dead_letter(
    call: str, error: Exception
) -> None:
    scene = Scene()
    scene.apart.park(1, 2)
    scene.apart.faults[call] = error
    with capture_logs() as logs:
        await scene.events.bury(10)
    assert scene.apart.dropped == [2]
    assert [line["event"] for line in logs] == ["event.unburied", "event.dead_lettered"]


@moved
async def test_where_the_bus_is_away_no_other_is_buried() -> None:
    scene = Scene()
    scene.apart.park(1, 2)
    scene.apart.faults["send 1"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await scene.events.bury(10)
    assert scene.apart.sent == []
