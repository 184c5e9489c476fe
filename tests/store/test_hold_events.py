"""Holds on a real database: what comes out is what the times say, whoever handles events when."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from lockstep.matching import holds
from lockstep.matching.course import course
from lockstep.model.automations import Automation
from lockstep.model.decisions import Candidate
from lockstep.model.events import Event
from lockstep.model.ids import uuid7
from lockstep.model.matches import TriggerMatch
from lockstep.model.parked import ParkedEvent
from lockstep.model.runs import Ending
from lockstep.model.timers import Holder, HoldEvent, OldHolder
from lockstep.pipeline.windows_and_holds import pass_windows_and_holds
from lockstep.ports.unhandled import Question
from lockstep.store import AutomationStore, Batches, WaitStore
from lockstep.store.triggers import HoldStore
from store_fixture import StoreFixture, store_fixture

ORDERS: Final = 40
KEYS: Final = ("k", None, "")
DEFINITION: Final = {"name": "n", "triggers": [{"id": "t", "event": "a", "for": {"seconds": 10}}]}


@pytest_asyncio.fixture
async def laboratory(dsn: str) -> AsyncIterator[StoreFixture]:
    """An empty database."""
    async with store_fixture(dsn) as opened:
        yield opened


class Scene:
    """Holders of one trigger, and replicas that handle their events."""

    def __init__(self, laboratory: StoreFixture) -> None:
        self.laboratory = laboratory
        self.began = laboratory.clock.now()
        program = laboratory.program(DEFINITION)
        self.automation = Automation(id="a", name="n", version=1, position=1, program=program)
        self.batches = Batches(laboratory.database, uuid7())

    def at(self, seconds: float) -> datetime:
        """A time so long after the beginning."""
        return self.began + timedelta(seconds=seconds)

    def candidate(self, at: float, key: str | None, *, cancels: bool = False) -> Candidate:
        """An event that arms, or cancels."""
        event = self.laboratory.event("a", {"at": at}, key)
        event = msgspec.structs.replace(event, time=self.at(at), sequence=int(at * 10))
        match = TriggerMatch(event, self.automation, self.automation.program.triggers[0])
        return Candidate(match, cancels=cancels, hold_seconds=0.0 if cancels else 10.0)

    async def handle(self, *candidates: Candidate) -> list[str]:
        """Handle events as a batch; say what is told of each."""
        async with self.batches.transaction() as tx:
            decided = await pass_windows_and_holds(candidates, self.began, tx)
            assert decided.matches == []
            return [one.detail for one in decided.judged]

    async def end(self, key: str | None) -> Event | None:
        """End the hold that stands, whatever time it is; give the event that it starts."""
        ids = [row["id"] for row in await self.timers(key)]
        (timer,) = (await self.batches.timers(ids))[0] if ids else [None]
        if timer is None or timer.event is None:
            return None
        holder = Holder("a", "t", key)
        by = HoldEvent(time=timer.event.time, sequence=timer.event.sequence, due_at=timer.due_at)
        async with self.batches.transaction() as tx:
            await tx.lock_keys([holds.lock_name(holder)])
            assert await tx.take_holds(ids, self.at(1e6)) == set(ids)
            await holds.followed({holder: ("a", by)}, self.began, tx)
        return timer.event

    async def compact(self, until: float, gone: Sequence[Holder] = ()) -> None:
        """Drop what is needless, where nothing up to a time is still to come."""
        holders = [Holder("a", "t", key) for key in KEYS]
        async with self.batches.transaction() as tx:
            await tx.lock_keys(sorted(map(holds.lock_name, holders)))
            known = await tx.held_events(holders)
            await tx.change_holds(holds.compacted(known, gone, self.at(until)))

    async def timers(self, key: str | None) -> list[dict[str, object]]:
        """The hold that stands, as it is stored."""
        query = "select * from timers where context_key is not distinct from $1"
        return [dict(row) for row in await self.laboratory.rows(query, key)]

    async def kept(self, key: str | None) -> list[tuple[float, bool]]:
        """What is kept beside it: when it was, and whether with its payload."""
        query = """
            select time, event is not null as has_event from hold_events
             where context_key is not distinct from $1 order by time
        """
        rows = await self.laboratory.rows(query, key)
        return [((row["time"] - self.began).total_seconds(), row["has_event"]) for row in rows]


@pytest.fixture
def scene(laboratory: StoreFixture) -> Scene:
    """Nothing is held."""
    return Scene(laboratory)


async def test_what_comes_out_is_what_the_times_say_whatever_the_order_of_handling(
    scene: Scene,
) -> None:
    """Handled in random batches, by three at once; ended and compacted as soon as may be."""
    for seed in range(ORDERS):
        await scene.laboratory.database.forget_all()
        chance = random.Random(seed)  # noqa: S311
        told = [
            (at, key, chance.random() < 0.4)
            for key in KEYS
            for at in sorted(chance.sample(range(1, 60), 7))
        ]
        came = await played(scene, told, chance)
        for key in KEYS:
            wanted = course(
                [
                    HoldEvent(
                        time=scene.at(at),
                        sequence=at * 10,
                        due_at=None if off else scene.at(at + 10),
                    )
                    for at, of, off in told
                    if of == key
                ]
            )
            assert came[key] == [one.sequence // 10 for one in wanted.holds], (seed, key)


async def played(
    scene: Scene, told: Sequence[tuple[int, str | None, bool]], chance: random.Random
) -> dict[str | None, list[int]]:
    """Handle all that is told; say by key which events have started runs."""
    left = [(at, scene.candidate(at, key, cancels=off)) for at, key, off in told]
    chance.shuffle(left)
    came: dict[str | None, list[int]] = {key: [] for key in KEYS}
    while True:
        batches = []
        for _ in range(3):
            many = chance.randint(1, 3)
            batches.append([one for _, one in left[:many]])
            left = left[many:]
        await asyncio.gather(*(scene.handle(*some) for some in batches if some))
        unhandled = min((at for at, _ in left), default=10_000)
        if chance.random() < 0.3:
            await scene.compact(unhandled - 0.1)
        for key in KEYS:
            for timer in await scene.timers(key):
                due_at = timer["due_at"]
                assert isinstance(due_at, datetime)
                if due_at < scene.at(unhandled) and (event := await scene.end(key)) is not None:
                    came[key].append(event.sequence // 10)
        if not left and not any([await scene.timers(key) for key in KEYS]):
            return came


async def test_payloads_are_kept_of_what_may_still_start_a_run(scene: Scene) -> None:
    arms, again, off, late = (
        scene.candidate(1, "k"), scene.candidate(2, "k"),
        scene.candidate(3, "k", cancels=True), scene.candidate(1.5, "k", cancels=True),
    )  # fmt: skip
    await scene.handle(arms)
    (hold,) = await scene.timers("k")
    assert (hold["event_time"], hold["event_sequence"]) == (scene.at(1), 10)
    assert hold["due_at"] == scene.at(11)
    await scene.handle(again, off)
    assert await scene.timers("k") == []
    assert await scene.kept("k") == [(1, False), (2, True), (3, False)]
    await scene.handle(late)
    assert await scene.timers("k") == []


async def test_a_hold_that_an_earlier_event_displaces_keeps_its_payload(scene: Scene) -> None:
    await scene.handle(scene.candidate(5, "k"))
    await scene.handle(scene.candidate(1, "k"))
    assert await scene.kept("k") == [(5, True)]
    await scene.handle(scene.candidate(4, "k", cancels=True))
    (hold,) = await scene.timers("k")
    assert hold["due_at"] == scene.at(15)
    event = await scene.end("k")
    assert event is not None
    assert event.payload == {"at": 5}
    assert await scene.kept("k") == []


async def test_a_hold_of_older_code_stands_from_the_time_of_its_event_with_its_deadline(
    scene: Scene,
) -> None:
    await scene.handle(scene.candidate(5, "k"))
    await scene.laboratory.rows(
        "update timers set event_time = null, event_sequence = null,"
        " due_at = due_at + interval '3 s', armed_at = armed_at + interval '9 s'"
    )
    assert await scene.handle(scene.candidate(17, "k")) == [
        "armed already: the first deadline and payload stay"
    ]
    assert await scene.handle(scene.candidate(6, "k", cancels=True)) == [
        "disarmed by the cancel filter, and armed by an event of "
        + scene.at(17).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        + "Z"
    ]
    (hold,) = await scene.timers("k")
    assert hold["due_at"] == scene.at(27)


async def test_one_whose_event_cannot_be_read_stands_from_when_it_was_armed(scene: Scene) -> None:
    await scene.handle(scene.candidate(5, "k"))
    await scene.laboratory.rows("update timers set event_time = null, event = '{'")
    async with scene.batches.transaction() as tx:
        known = await tx.held_events([Holder("a", "t", "k")])
    hold = known[Holder("a", "t", "k")].hold
    assert hold is not None
    assert (hold.by.time, hold.by.until) == (scene.began, scene.at(15))


async def test_what_is_kept_goes_where_older_code_has_ended_the_hold(scene: Scene) -> None:
    for at in (1, 2, 30):
        await scene.handle(scene.candidate(at, "k"))
    await scene.laboratory.rows("delete from timers")
    assert await scene.handle(scene.candidate(3, "k", cancels=True)) == [
        "cancelled, and nothing was armed"
    ]
    assert (await scene.timers("k"), await scene.kept("k")) == ([], [(3, False)])


async def test_who_disables_or_deletes_an_automation_drops_what_is_kept_for_it(
    scene: Scene,
) -> None:
    async def fill() -> None:
        for at in (1, 2, 30):
            await scene.handle(scene.candidate(at, "k"))

    automations = AutomationStore(scene.laboratory.database)
    await fill()
    async with automations.change() as change:
        assert await change.keep_holds("a", ["t"]) == []
        gone = await change.keep_holds("a", [])
    assert [(one.id is not None, one.event and one.event.payload) for one in gone] == [
        (True, {"at": 1}), (False, {"at": 2}), (False, {"at": 30}),
    ]  # fmt: skip
    assert (await scene.timers("k"), await scene.kept("k")) == ([], [])
    await fill()
    async with automations.change() as change:
        await change.delete("a", ending(scene))
    assert (await scene.timers("k"), await scene.kept("k")) == ([], [])


async def test_of_many_large_events_of_holds_that_are_disarmed_the_first_ones_are_given(
    scene: Scene,
) -> None:
    keys = [f"k{number}" for number in range(9)]
    for key in keys:
        await scene.handle(scene.candidate(1, key))
    await scene.laboratory.rows(
        "update timers set event = convert_to(rpad(convert_from(event, 'UTF8'), 500000), 'UTF8')"
    )
    await scene.laboratory.rows("update timers set event = '{' where context_key = 'k0'")
    async with AutomationStore(scene.laboratory.database).change() as change:
        gone = await change.keep_holds("a", [])
    assert len({one.id for one in gone}) == 9
    given = [one.event.context_key for one in gone if one.event is not None]
    assert given == keys[1:], "all that are within 4 MiB, and can be read"
    for key in keys * 2:
        await scene.handle(scene.candidate(1, key))
    await scene.laboratory.rows(
        "update timers set event = convert_to(rpad(convert_from(event, 'UTF8'), 1500000), 'UTF8')"
    )
    async with AutomationStore(scene.laboratory.database).change() as change:
        gone = await change.keep_holds("a", [])
    assert [one.event is not None for one in gone] == [True] * 2 + [False] * 7


def ending(scene: Scene) -> Ending:
    """How the runs of an automation end that is deleted."""
    return Ending(status="cancelled", reason="deleted", at=scene.began)


async def test_old_holders_come_page_by_page_and_each_event_once(scene: Scene) -> None:
    for at in range(1, 6):
        for key in KEYS:
            await scene.handle(scene.candidate(at, key, cancels=True))
    store = HoldStore(scene.laboratory.database)
    found: list[OldHolder] = []
    while page := await store.old(scene.at(4), found[-1] if found else None, 2):
        found += page
    assert len(found) == 9
    assert {one.holder for one in found} == {Holder("a", "t", key) for key in KEYS}
    assert sorted(one.time for one in found) == [one.time for one in found]
    await scene.compact(3.5, [Holder("a", "t", "")])
    assert await scene.kept("") == []
    assert [at for at, _ in await scene.kept("k")] == [4, 5]


@pytest.mark.parametrize(
    ("key", "at", "event_id", "holds_up"),
    [
        ("k", 9.0, "a", True),
        ("other", 9.0, "a", False),
        (None, 9.0, "a", False),
        ("k", 11.0, "a", False),
        ("k", 9.0, "b", False),
    ],
    ids=["its own", "of another key", "of no key", "later", "of another id"],
)
async def test_a_hold_waits_for_a_parked_event_that_could_change_it_and_for_no_other(
    laboratory: StoreFixture, key: str | None, at: float, event_id: str, *, holds_up: bool
) -> None:
    scene = Scene(laboratory)
    await AutomationStore(laboratory.database).insert_many([("a", "a", {})])
    await scene.handle(scene.candidate(0, "k"))
    (timer,) = await scene.timers("k")
    event = msgspec.structs.replace(laboratory.event(event_id, {}, key), time=scene.at(at))
    async with scene.batches.transaction() as tx:
        await tx.park_events([ParkedEvent(event, "a", "no such filter", None)])
    waits = WaitStore(laboratory.database, uuid7())
    hold = UUID(str(timer["id"]))
    asked = Question(id=hold, event_id="a", context_key="k", until=scene.at(10))
    assert [*await waits.parked_for([asked])] == ([hold] if holds_up else [])
    await laboratory.rows("update parked_events set time = null, context_key = null")
    of_before = await waits.parked_for([asked])
    assert [*of_before] == ([hold] if event_id == "a" else []), "nobody knows its key"


async def test_only_what_stands_may_still_expire(laboratory: StoreFixture) -> None:
    scene = Scene(laboratory)
    await scene.handle(scene.candidate(0, "k"))
    (timer,) = await scene.timers("k")
    hold, waits = UUID(str(timer["id"])), WaitStore(laboratory.database, uuid7())
    assert await waits.alive([hold, uuid7()]) == {hold}
    await scene.handle(scene.candidate(5, "k", cancels=True))
    assert await waits.alive([hold]) == set()
