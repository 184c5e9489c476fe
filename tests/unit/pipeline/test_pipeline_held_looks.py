"""Looks that are held up: asked about together, at their pace, and looked at when they are not."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from structlog.testing import capture_logs

from lockstep.pipeline import HeldLooks, HoldTimes, LookBackNews
from lockstep.pipeline.held_looks import RETRY_SECONDS
from lockstep.ports.unhandled import HeldUp, Question
from lockstep.wake import Steady
from unit.fakes import Away
from unit.moved import Background, Clock, moved, turns
from unit.values import NOW, later, uid

PAUSE, MOST = 0.05, 600.0


class Stream:
    """What is in the stream: it holds up those that are named."""

    def __init__(self) -> None:
        self.away = Away()
        self.holds: set[UUID] = set()
        self.first = 1
        self.asked: list[list[UUID]] = []

    async def held_up(self, questions: Sequence[Question]) -> Mapping[UUID, HeldUp]:
        """See `ports.unhandled.Unhandled`."""
        self.asked.append([one.id for one in questions])
        self.away.check()
        why = HeldUp(reason="not handled", events=1, sequence=self.first)
        return {one: why for one in self.asked[-1] if one in self.holds}


class Looks:
    """Looks of waits, and who is told to look again."""

    def __init__(self) -> None:
        self.stream, self.news = Stream(), LookBackNews()
        times = HoldTimes(pause_seconds=PAUSE, most_seconds=MOST)
        now = asyncio.get_running_loop().time
        self.well_since = 0.0
        steady = Steady(lambda: self.well_since, now)
        self.held = HeldLooks(self.stream, self.news, times, steady, now)

    async def among(self, *numbers: int) -> list[int]:
        """Say which of these are held up."""
        asked = [Question(id=uid(n), event_id="e", until=NOW, below=9) for n in numbers]
        return sorted(one.int for one in await self.held.among(asked))

    async def next(self) -> list[int]:
        """Wait until some are to be looked at again."""
        return [one.int for one in await self.news.next()]


@moved
async def test_what_is_held_up_is_asked_about_together_until_it_is_not() -> None:
    looks = Looks()
    looks.stream.holds = {uid(1), uid(2)}
    async with Background(looks.held.run()):
        assert await looks.among(1, 2, 3) == [1, 2]
        await asyncio.sleep(10.5 * PAUSE)
        assert looks.stream.asked[1:] == [[uid(1), uid(2)]] * 10
        looks.stream.holds = {uid(2)}
        assert await looks.next() == [1]
        assert await looks.among(1) == []
        looks.held.over([uid(1)])
        looks.stream.asked.clear()
        await asyncio.sleep(1.5 * PAUSE)
        assert looks.stream.asked == [[uid(2)]]


@moved
async def test_where_nothing_is_held_up_nobody_is_asked() -> None:
    looks = Looks()
    async with Background(looks.held.run()):
        assert await looks.among(1) == []
        assert await looks.among() == []
        await asyncio.sleep(3600)
        assert looks.stream.asked == [[uid(1)]]
        looks.stream.holds = {uid(1)}
        assert await looks.among(1) == [1]
        looks.held.over([uid(1)])  # such as one whose run was ended
        looks.stream.asked.clear()
        await asyncio.sleep(3600)
        assert len(looks.stream.asked) <= 1


@moved
async def test_what_is_held_up_for_too_long_is_looked_at_and_held_up_no_more() -> None:
    looks = Looks()
    looks.stream.holds = {uid(1)}
    async with Background(looks.held.run()):
        assert await looks.among(1) == [1]
        await asyncio.sleep(MOST / 2)
        looks.stream.first = 2  # the first one is settled: another message holds it up
        assert await looks.next() == [1]
        assert Clock().now() >= later(1.5 * MOST)
        with capture_logs() as logs:
            assert await looks.among(1) == []
        assert [(one["event"], one["wait_id"]) for one in logs] == [
            ("event.overtaken", str(uid(1)))
        ]


@moved
async def test_a_stream_that_cannot_be_asked_is_asked_again_and_nothing_is_let_through() -> None:
    looks = Looks()
    looks.stream.holds = {uid(1)}
    assert await looks.among(1) == [1]
    looks.stream.away.times = 2
    with capture_logs() as logs:
        assert await looks.among(2) == [2], "held up: others of its batch are armed"
        (fault,) = looks.held.faults()
        assert fault.startswith("no wait takes an event that it has looked back on: ")
        async with Background(looks.held.run()):
            await asyncio.sleep(1.5 * RETRY_SECONDS)
            assert len(looks.stream.asked) == 3
            looks.stream.holds.clear()
            assert await looks.next() == [1, 2]
            await turns()
            assert Clock().now() >= later(2 * RETRY_SECONDS)
    assert looks.held.faults() == []
    assert [one["event"] for one in logs] == ["look_backs.delayed", "look_backs.resumed"]


@moved
async def test_time_in_which_nobody_could_handle_anything_does_not_count() -> None:
    looks = Looks()
    looks.stream.holds = {uid(1)}
    async with Background(looks.held.run()):
        assert await looks.among(1) == [1]
        await asyncio.sleep(MOST - 10)
        looks.well_since = MOST - 10  # the store was away until now
        await asyncio.sleep(20)
        looks.stream.away.times = 1  # and then the stream
        asyncio.get_running_loop().call_later(MOST - 20, looks.stream.holds.clear)
        assert await looks.next() == [1]
        assert Clock().now() >= later(2 * MOST - 20)
