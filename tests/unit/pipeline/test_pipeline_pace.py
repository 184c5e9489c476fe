"""The pace of judging: others have their turn, and what is slow is known."""

import asyncio

from lockstep.pipeline import JudgingPace
from lockstep.pipeline.pace import BREATH_NS, FORGOTTEN_SECONDS, LONG_NS, REST, SLOW_NS
from unit.moved import moved

SUBJECT = "lockstep.trigger."


def pace() -> JudgingPace:
    """A pace, where the id of an event is what follows the prefix."""
    return JudgingPace(lambda subject: subject.removeprefix(SUBJECT))


async def judged(one: JudgingPace, nanoseconds: int, times: int = 20, name: str = "a") -> None:
    """Have events judged that take so long."""
    for _ in range(times):
        await one.took(name, f"of.{name}", nanoseconds)


@moved
async def test_others_have_their_turn_between_what_takes_long_together() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await judged(pace(), BREATH_NS // 2, times=6)
    task.cancel()
    assert turns == 3


@moved
async def test_what_takes_long_rests_in_proportion_whoever_judges() -> None:
    loop, one = asyncio.get_running_loop(), pace()
    begun = loop.time()
    await one.took("a", "of.a", 5 * LONG_NS)
    assert round(loop.time() - begun, 6) == REST * 5 * LONG_NS / 1e9
    begun = loop.time()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(one.took("a", "of.a", LONG_NS))
    assert round(loop.time() - begun, 6) == 3 * REST * LONG_NS / 1e9


@moved
async def test_an_automation_is_slow_by_its_average_and_its_events_are_known_by_it() -> None:
    one = pace()
    await judged(one, 3 * SLOW_NS, times=1)
    assert one.slow() == {}  # once is none
    await judged(one, 3 * SLOW_NS)
    await judged(one, SLOW_NS // 2, name="b")
    assert [*one.slow()] == ["a"]
    assert one.is_slow(SUBJECT + "of.a")
    assert not one.is_slow(SUBJECT + "of.b")
    await judged(one, 1000)
    assert (one.slow(), one.is_slow(SUBJECT + "of.a")) == ({}, False)


@moved
async def test_what_is_not_judged_any_more_is_not_slow_for_ever() -> None:
    one = pace()
    await judged(one, 3 * SLOW_NS)
    await asyncio.sleep(FORGOTTEN_SECONDS + 1)
    assert one.slow() == {}


@moved
async def test_what_is_quick_is_not_kept() -> None:
    one = pace()
    for number in range(100):
        await one.took(f"a{number}", "of.a", 1000)
    assert one.slow() == {}
    assert not one.is_slow(SUBJECT + "of.a")
