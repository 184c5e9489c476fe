"""Waits past their deadline: what is said of them; nothing keeps a run from being shown."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from lockstep.control import OverdueWaits
from lockstep.control.overdue import MOST, PATIENCE_SECONDS
from lockstep.model.errors import BusUnavailable
from lockstep.ports.unhandled import HeldUp, Question
from lockstep_schemas.api import Wait
from unit.fakes import Away
from unit.moved import Clock, moved
from unit.values import NOW, later, uid

HELD = HeldUp(reason="3 events of `e` from before it are not handled yet", events=3, sequence=7)
EARLY = HeldUp(reason="its deadline is not past yet by the clock of the stream")


class Scene:
    """What the store has of waits, and what a stream says of them."""

    def __init__(self) -> None:
        self.away, self.took = Away(BusUnavailable("NATS is away")), 0.0
        self.held: dict[UUID, HeldUp] = {}
        self.asked: list[int] = []
        self.looking: set[UUID] = set()
        self.overdue = OverdueWaits(self, self, Clock())

    async def expiring(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """See `control.overdue.OverdueRows`."""
        return [Question(id=one, event_id="e", until=now) for one in wait_ids]

    async def looking_for(self, wait_ids: Sequence[UUID], now: datetime) -> Sequence[Question]:
        """See `control.overdue.OverdueRows`."""
        looking = sorted(self.looking.intersection(wait_ids))
        return [Question(id=one, event_id="e", until=now, below=99) for one in looking]

    async def counted(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `control.overdue.Counting`."""
        self.asked.append(len(questions))
        await asyncio.sleep(self.took)
        self.away.check()
        return self.held

    async def said(self, *waits: Wait) -> list[str | None]:
        """What is said of waits."""
        return [one.held_up for one in await self.overdue.explained(waits)]


def wait(number: int, due_at: datetime | None = NOW) -> Wait:
    """The n-th wait of a run."""
    return Wait(
        id=str(uid(number)), action_path="actions[0]", kind="event", waiting_for="event e",
        event="e", context_key=None, filter=None, warning=None, state="armed", armed_at=NOW,
        due_at=due_at,
    )  # fmt: skip


@moved
async def test_what_holds_a_wait_up_is_said_of_that_one() -> None:
    scene = Scene()
    scene.held = {uid(1): HELD, uid(3): EARLY}
    text = "past its deadline, 3 events of `e` from before it are not handled yet"
    assert await scene.said(wait(1), wait(2), wait(3)) == [text, None, None]


@moved
async def test_what_keeps_a_wait_from_taking_what_it_has_looked_back_on_is_said() -> None:
    scene = Scene()
    scene.looking, scene.held = {uid(1), uid(2)}, {uid(1): HELD}
    text = "it looks back, 3 events of `e` from before it are not handled yet"
    assert await scene.said(wait(1, None), wait(2, later(1)), wait(3, None)) == [text, None, None]
    scene.away.times = 1
    said = await scene.said(wait(1, None), wait(3, None))
    text = "it looks back; whether an event may still come before what it has found cannot be told"
    assert said == [f"{text}: NATS is away", None]


@moved
async def test_nobody_is_asked_about_what_is_not_past_its_deadline() -> None:
    scene = Scene()
    assert await scene.said(wait(1, later(1)), wait(2, None)) == [None, None]
    assert await scene.said() == []
    assert scene.asked == []


@moved
async def test_a_stream_that_says_nothing_keeps_no_run_from_being_shown() -> None:
    scene = Scene()
    scene.away.times = 1
    (text,) = await scene.said(wait(1))
    assert text is not None
    assert text.endswith("an event may still end it cannot be told: NATS is away")
    scene.took = 60.0
    (text,) = await scene.said(wait(1))
    assert text is not None
    assert text.endswith("cannot be told: there is no answer within 1 s")
    assert asyncio.get_running_loop().time() == PATIENCE_SECONDS


@moved
async def test_of_very_many_some_are_asked_about() -> None:
    scene = Scene()
    await scene.said(*(wait(number) for number in range(5 * MOST)))
    assert scene.asked == [MOST]
