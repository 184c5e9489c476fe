"""Triggers with a set-up: each runs on one replica, shared fairly, and is torn down at the end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from lockstep.catalog import MemoryCatalog, build_catalog
from lockstep.model.automations import Automation
from lockstep.model.errors import Unavailable
from lockstep.model.types import Fire, Identity, TriggerType
from lockstep.pipeline import TriggerSetups
from lockstep.pipeline.setups import LOOK_SECONDS, FireRefused, Key
from unit.fakes import Away
from unit.moved import Background, moved
from unit.pipeline.pipeline_fixture import Ways
from unit.values import automation, triggered


class Leases:
    """Which replica runs which set-up: those that are not `others` are free, or ours."""

    def __init__(self) -> None:
        self.away = Away()
        self.living = 1
        self.ours: set[Key] = set()
        self.others: set[Key] = set()
        self.released: list[Key] = []

    async def owned(self) -> set[Key]:
        """See `SetupLeases`."""
        self.away.check()
        return set(self.ours)

    async def workers(self) -> int:
        """See `SetupLeases`."""
        return self.living

    async def claim(self, wanted: Sequence[Key], most: int) -> set[Key]:
        """See `SetupLeases`."""
        free = [key for key in wanted if key not in self.others][:most]
        self.ours |= {*free}
        return {*free}

    async def release(self, keys: Sequence[Key]) -> None:
        """See `SetupLeases`."""
        self.away.check()
        self.released += sorted(keys)
        self.ours -= {*keys}


Slow = Callable[[str], Awaitable[None]]
"""What a set-up waits for, by the automation."""


class Plugin:
    """A plug-in whose trigger watches something itself."""

    def __init__(self, slow: Slow | None) -> None:
        self.fires: dict[str, Fire] = {}  # what runs, by automation
        self.made: list[str] = []
        self.torn_down: list[str] = []
        self.broken = 0
        self.slow = slow

    async def setup(self, config: object, identity: Identity, fire: Fire, log: object) -> object:
        """Set up; give what ends it."""
        if self.broken:
            self.broken -= 1
            raise LookupError("no such thing")
        name = identity.automation_id
        if self.slow:
            await self.slow(name)
        self.made.append(name)
        self.fires[name] = fire

        async def end() -> None:
            self.torn_down.append(name)
            del self.fires[name]

        return end

    @property
    def catalog(self) -> MemoryCatalog:
        """A catalog that has its trigger."""
        made = build_catalog(open=True)
        made.put_trigger(
            TriggerType(
                qualified_id="test.event", plugin="test", display_name="Watched",
                source="setup", setup=self.setup,
            )
        )  # fmt: skip
        return made


class House:
    """The set-ups of one replica."""

    def __init__(self, *automations: Automation, slow: Slow | None = None) -> None:
        self.ways, self.leases, self.plugin = Ways(*automations), Leases(), Plugin(slow)
        self.setups = TriggerSetups(self.leases, self.plugin.catalog, self.ways.parts)

    async def look(self) -> None:
        """Let it look at least once more."""
        await asyncio.sleep(LOOK_SECONDS + 0.1)


def several(number: int) -> list[Automation]:
    """So many automations with a set-up."""
    return [automation(f"a{one}") for one in range(number)]


@moved
async def test_what_should_run_is_set_up_and_torn_down_and_given_back_at_the_end() -> None:
    house = House(automation("a"), automation("b", triggers=[{"event": "other.event"}]))
    async with Background(house.setups.run()):
        await house.look()
        await house.look()
        assert house.plugin.made == ["a"]
        assert house.plugin.torn_down == []
    assert house.plugin.torn_down == ["a"]
    assert house.leases.released == [("a", "test_event")]


@moved
async def test_a_replica_takes_its_share_and_leaves_the_rest_to_the_others() -> None:
    house = House(*several(5))
    house.leases.living = 2
    async with Background(house.setups.run()):
        await house.look()
        assert len(house.plugin.fires) == 3


@moved
async def test_a_replica_gives_up_what_is_more_than_its_share_when_another_one_comes() -> None:
    house = House(*several(4))
    async with Background(house.setups.run()):
        await house.look()
        assert len(house.plugin.fires) == 4
        house.leases.living = 2
        await house.look()
        assert sorted(house.plugin.fires) == ["a0", "a1"]
        assert house.leases.released == [("a2", "test_event"), ("a3", "test_event")]
        assert house.plugin.torn_down == ["a2", "a3"]


@moved
async def test_what_another_replica_runs_is_not_run_here_too() -> None:
    house = House(*several(2))
    house.leases.others = {("a0", "test_event")}
    async with Background(house.setups.run()):
        await house.look()
        assert [*house.plugin.fires] == ["a1"]


@moved
async def test_a_set_up_that_was_taken_away_is_torn_down_and_one_that_changed_is_made_anew() -> (
    None
):
    house = House(automation("a"), automation("b"))
    async with Background(house.setups.run()):
        await house.look()
        house.leases.ours.discard(("a", "test_event"))
        house.leases.others.add(("a", "test_event"))
        house.ways.save(triggered_anew("b"))
        await house.look()
        assert sorted(house.plugin.torn_down) == ["a", "b"]
        assert house.plugin.made.count("b") == 2
        assert [*house.plugin.fires] == ["b"]


def triggered_anew(name: str) -> Automation:
    """A later version of an automation, whose trigger has another config."""
    trigger = {"event": "test.event", "config": {"n": 2}}
    now = automation(name, triggers=[trigger])
    return Automation(id=name, name=now.name, version=2, position=1, program=now.program)


@moved
async def test_a_set_up_that_raises_is_logged_and_tried_again() -> None:
    house = House(automation("a"))
    house.plugin.broken = 2
    with capture_logs() as logs:
        async with Background(house.setups.run()):
            await asyncio.sleep(10)
            assert house.plugin.made == ["a"]
    failed = [line for line in logs if line["event"] == "source.failed"]
    assert [(line["automation_id"], line["next_seconds"]) for line in failed] == [
        ("a", 1.0),
        ("a", 2.0),
    ]


@moved
async def test_while_the_store_is_away_what_runs_goes_on() -> None:
    house = House(automation("a"))
    async with Background(house.setups.run()):
        await house.look()
        house.leases.away.times = 3
        await house.look()
        assert (house.plugin.torn_down, house.leases.released) == ([], [])


async def fired(house: House, payload: Any, **how: Any) -> None:
    """Have the set-up of `a` fire."""
    async with Background(house.setups.run()):
        await house.look()
        await house.plugin.fires["a"](payload, **how)


@moved
async def test_what_fires_starts_its_run_once_for_each_message_id() -> None:
    house = House(automation("a", mode="parallel", max_runs=9))
    async with Background(house.setups.run()):
        await house.look()
        fire = house.plugin.fires["a"]
        await fire({"n": 1}, context_key="k", message_id="m")
        await fire({"n": 1}, context_key="k", message_id="m")
        await fire({"n": 2})
    events = [one.match.event for one in house.ways.tx.new_runs]
    assert [(one.payload, one.context_key) for one in events] == [({"n": 1}, "k"), ({"n": 2}, None)]


@moved
async def test_what_fires_passes_its_filter() -> None:
    house = House(triggered(filter="trigger.payload.n > 1"))
    await fired(house, {"n": 1})
    assert house.ways.statuses == []
    assert [one.stage for one in house.ways.heard.decisions] == ["filter"]


@moved
async def test_fire_is_refused_where_another_replica_runs_the_set_up_now() -> None:
    house = House(automation("a"))
    house.ways.tx.owns = False
    with pytest.raises(FireRefused, match="another replica runs it now, or it was disabled"):
        await fired(house, {})
    assert house.ways.statuses == []
    assert "rollback" in house.ways.order  # its receipt too: the other one may fire it


@moved
async def test_fire_is_refused_for_what_is_no_object() -> None:
    with pytest.raises(FireRefused, match="fired list, no JSON object"):
        await fired(House(automation("a")), [])


@moved
async def test_fire_is_refused_for_what_nests_too_deep() -> None:
    deep: dict[str, Any] = {}
    for _ in range(64):
        deep = {"a": deep}
    with pytest.raises(FireRefused, match="nests deeper than 64 levels"):
        await fired(House(automation("a")), deep)


@moved
async def test_whoever_fires_hears_that_the_store_is_away() -> None:
    house = House(automation("a"))
    house.ways.tx.faults["commit"] = Unavailable("away")
    with pytest.raises(Unavailable):
        await fired(house, {}, message_id="m")
    assert house.ways.tx.receipts == set()  # it is fired again under the same id


@moved
async def test_fire_from_thread_is_refused_in_the_loop_which_would_wait_for_itself() -> None:
    house = House(automation("a"))
    async with Background(house.setups.run()):
        await house.look()
        with pytest.raises(FireRefused, match=r"await fire\(\.\.\.\) there"):
            house.plugin.fires["a"].from_thread({})
    assert house.ways.statuses == []


@moved
async def test_a_set_up_whose_own_task_was_cancelled_is_told_and_tried_again() -> None:
    made = 0

    async def cancelled(name: str) -> None:
        nonlocal made
        made += 1
        if made <= 2:
            task = asyncio.create_task(asyncio.sleep(60))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

    house = House(automation("a"), slow=cancelled)
    with capture_logs() as logs:
        async with Background(house.setups.run()):
            await asyncio.sleep(10)
            assert house.plugin.made == ["a"]
    failed = [line["error"] for line in logs if line["event"] == "source.failed"]
    assert failed == ["CancelledError: what it waited for was cancelled"] * 2


@pytest.mark.parametrize("kind", [LookupError, SystemExit, StopIteration])
@moved
async def test_a_set_up_that_is_stopped_meanwhile_is_not_begun_again_though_it_raises(
    kind: type[BaseException],
) -> None:
    begun: list[str] = []

    async def interrupted(name: str) -> None:
        begun.append(name)
        try:
            await asyncio.sleep(5 if name == "a" else 0)
        finally:
            if name == "a":
                raise kind("cleaning up failed")

    house = House(automation("a"), automation("b"), slow=interrupted)
    async with Background(house.setups.run()):
        await house.look()
        house.leases.ours.discard(("a", "test_event"))
        house.leases.others.add(("a", "test_event"))
        await asyncio.sleep(60)
        assert (begun, [*house.plugin.fires]) == (["a", "b"], ["b"])


@moved
async def test_what_a_set_up_makes_that_takes_no_cancellation_is_torn_down_when_it_comes() -> None:
    begun: list[float] = []

    async def late(name: str) -> None:
        begun.append(asyncio.get_running_loop().time())
        while len(begun) == 1 and asyncio.get_running_loop().time() < 50:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue

    house = House(automation("a"), slow=late)
    with capture_logs() as logs:
        async with Background(house.setups.run()):
            await asyncio.sleep(45)
            assert len(begun) == 1  # not begun beside itself
            await asyncio.sleep(60)
            assert (house.plugin.made, house.plugin.torn_down) == (["a", "a"], ["a"])
    assert "source.hangs" in [line["event"] for line in logs]
    assert "it took longer than 10 s" in [line.get("error") for line in logs]
