"""The slow lane: what takes long is taken behind the others, in its order, and is bounded."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from lockstep.intake.slow_lane import BATCH, MOST, SlowLane
from lockstep.model.messages import Message
from unit.moved import Background, moved, turns


class Letter:
    """A message with a subject and a number."""

    def __init__(self, number: int, subject: str = "slow") -> None:
        self.sequence, self.subject, self.data = number, subject, b"{}"

    @property
    def port(self) -> Message:
        """It as the port: the lane asks for no more."""
        return cast("Message", self)


class Road:
    """A lane, and what was taken from it."""

    def __init__(self) -> None:
        self.slow = {"slow"}
        self.taken: list[list[int]] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.lane = SlowLane(self.slow.__contains__, self.take)

    async def take(self, batch: Sequence[Message]) -> None:
        """Take a batch, when it may go on."""
        self.taken.append([one.sequence for one in batch])
        await self.goes_on.wait()

    def run(self) -> Background:
        """Have it taken in the background."""
        return Background(self.lane.run(self.goes_on.wait))


def numbers(messages: Sequence[Any]) -> list[int]:
    """The numbers of messages."""
    return [one.sequence for one in messages]


@moved
async def test_what_is_slow_is_parted_from_the_others_and_taken_a_few_at_a_time() -> None:
    road = Road()
    batch = [Letter(n, "slow" if n % 2 else "quick").port for n in range(4 * BATCH)]
    slow, others = road.lane.parted(batch)
    assert numbers(others) == [*range(0, 4 * BATCH, 2)]
    async with road.run():
        await road.lane.put(slow)
        await road.lane.idle()
    odd = [*range(1, 4 * BATCH, 2)]
    assert road.taken == [odd[:BATCH], odd[BATCH:]]


@moved
async def test_what_follows_of_a_subject_stays_behind_what_is_there_of_it() -> None:
    road = Road()
    road.goes_on.clear()
    async with road.run():
        await road.lane.put([Letter(1).port])
        await turns()
        road.slow.clear()  # it has become quick
        assert numbers(road.lane.parted([Letter(2).port])[0]) == [2]
        road.goes_on.set()
        await road.lane.idle()
        assert numbers(road.lane.parted([Letter(3).port])[1]) == [3]


@moved
async def test_where_too_many_wait_the_others_wait_too() -> None:
    road = Road()
    await road.lane.put([Letter(number).port for number in range(MOST)])
    more = asyncio.create_task(road.lane.put([Letter(MOST).port]))
    await turns()
    assert not more.done()
    async with road.run():
        await more
        await road.lane.idle()
    assert [one for batch in road.taken for one in batch] == [*range(MOST + 1)]


@moved
async def test_what_waits_is_given_up_at_the_end_and_what_is_in_work_is_waited_for() -> None:
    road = Road()
    async with road.run():
        road.goes_on.set()
        await road.lane.put([Letter(number).port for number in range(BATCH + 2)])
        road.goes_on.clear()
        await turns()
        road.goes_on.set()
        await road.lane.idle()
    await road.lane.put([Letter(7).port, Letter(8).port])
    assert numbers(road.lane.emptied()) == [7, 8]
    await road.lane.idle()
