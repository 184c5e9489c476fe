"""Due: waits whose time has come are fired, and runs whose time is over are ended."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import pytest

from lockstep.model.errors import Unavailable
from lockstep.model.parked import Row
from lockstep.model.waits import Due, Firing
from lockstep.ports.unhandled import Question
from lockstep.wake import DueWaits
from lockstep_schemas.run_events import WaitKind
from unit.fakes import Away, Ends, Heard, Measured
from unit.moved import Clock, moved
from unit.values import NOW, later, uid


class Scene:
    """Waits in the store, and who hears of them."""

    def __init__(self) -> None:
        self.away = Away()
        self.armed: dict[UUID, datetime | None] = {}
        self.fired: list[tuple[list[UUID], datetime]] = []
        self.parked: dict[UUID, str] = {}
        self.kinds: dict[UUID, WaitKind] = {}  # else it is a delay
        self.held: set[UUID] = set()  # an event may still end them
        self.again: Callable[[Sequence[UUID]], Awaitable[None]] | None = None
        self.heard, self.terminator, self.meter = Heard(), Ends(), Measured()
        self.due = DueWaits(self, Clock(), self.heard, self.terminator.port, self.meter, self)

    @property
    def woken(self) -> list[UUID]:
        """The waits that listeners have heard of."""
        return [one.id for one in self.heard.firings]

    @property
    def exceeded(self) -> list[list[UUID]]:
        """The waits that runs were looked for whose deadline they are."""
        return self.terminator.exceeded

    @property
    def late(self) -> list[float]:
        """How late wakes came."""
        return self.meter.late

    async def fire_due(
        self, wait_ids: Sequence[UUID], now: datetime, kinds: Sequence[WaitKind]
    ) -> Sequence[Firing]:
        """See `wake.due.ArmedWaits`."""
        self.away.check()
        self.fired.append(([*wait_ids], now))
        return [
            Firing(one, uid(9), "delay", True, None, self.armed.pop(one))
            for one in wait_ids
            if one in self.armed and self.kinds.get(one, "delay") in kinds
        ]

    async def expiring(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """See `wake.due.ArmedWaits`."""
        return [
            Question(id=one, event_id="e", until=self.armed[one] or now)
            for one in wait_ids
            if one in self.armed and self.kinds.get(one) in {"event", "remote"}
        ]

    async def cleared(
        self,
        questions: Sequence[Question],
        again: Callable[[Sequence[UUID]], Awaitable[None]],
    ) -> set[UUID]:
        """See `ports.unhandled.Expiring`."""
        self.again = again
        return {one.id for one in questions} - self.held

    async def park_waits(self, waits: Sequence[Row]) -> None:
        """See `wake.due.ArmedWaits`."""
        self.parked |= dict(waits)


def due(number: int, kind: WaitKind = "delay") -> Due:
    """The n-th wait, whose time has come."""
    return Due(uid(number), kind, NOW)


@moved
async def test_waits_are_fired_in_one_statement_and_who_listens_hears_of_those_that_were() -> None:
    scene = Scene()
    scene.armed = {uid(1): NOW}
    await scene.due.fire([due(1), due(2)])
    assert scene.fired == [([uid(1), uid(2)], NOW)]
    assert scene.woken == [uid(1)]  # the other one was fired by somebody else
    assert scene.exceeded == []


@moved
async def test_a_deadline_ends_its_run_and_fires_nothing() -> None:
    scene = Scene()
    await scene.due.fire([due(1, "deadline"), due(2)])
    assert scene.exceeded == [[uid(1)]]
    assert [ids for ids, _ in scene.fired] == [[uid(2)]]
    await scene.due.fire([due(3, "deadline")])
    assert len(scene.fired) == 1


@moved
async def test_what_an_alarm_of_the_bus_names_may_be_of_either_kind() -> None:
    scene = Scene()
    scene.armed = {uid(1): NOW}
    await scene.due.ring([uid(1), uid(2)])
    assert (scene.woken, scene.exceeded) == ([uid(1)], [[uid(1), uid(2)]])


@moved
async def test_how_late_each_wake_came_is_told_where_it_had_a_time() -> None:
    scene = Scene()
    scene.armed = {uid(1): later(-2.5), uid(2): None}
    await scene.due.fire([due(1), due(2)])
    assert scene.late == [2.5]
    assert scene.woken == [uid(1), uid(2)]


@moved
async def test_while_the_store_is_away_nobody_is_told_anything() -> None:
    scene = Scene()
    scene.armed, scene.away.times = {uid(1): NOW}, 1
    with pytest.raises(Unavailable):
        await scene.due.fire([due(1), due(2, "deadline")])
    assert (scene.woken, scene.exceeded, scene.late) == ([], [], [])


@pytest.mark.parametrize("kind", ["event", "remote"])
@moved
async def test_what_an_event_may_still_end_is_fired_when_none_can(kind: WaitKind) -> None:
    scene = Scene()
    scene.armed = {uid(number): NOW for number in (1, 2, 3)}
    scene.kinds, scene.held = {uid(1): kind, uid(2): kind}, {uid(1)}
    await scene.due.fire([due(1, kind), due(2, kind), due(3)])
    assert scene.woken == [uid(3), uid(2)]
    assert scene.again is not None
    await scene.again([uid(1)])
    assert scene.woken == [uid(3), uid(2), uid(1)]
    await scene.again([uid(1)])
    assert len(scene.woken) == 3, "once"


@moved
async def test_an_alarm_of_the_bus_fires_nothing_that_an_event_may_still_end() -> None:
    scene = Scene()
    scene.armed = {uid(number): NOW for number in (1, 2, 3)}
    scene.kinds, scene.held = {uid(1): "event", uid(2): "remote"}, {uid(1)}
    await scene.due.ring([uid(1), uid(2), uid(3)])
    assert scene.woken == [uid(3), uid(2)]
    assert scene.exceeded == [[uid(1), uid(2), uid(3)]]
