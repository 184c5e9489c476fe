"""Runs that steps of other runs start: once for each step, and each is told of the other's end."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from lockstep.catalog import build_catalog
from lockstep.model.automations import Automation
from lockstep.model.child_runs import Child, ChildRefused, ChildWanted, Parent
from lockstep.model.errors import Unavailable
from lockstep.model.runs import Checkpoint, Ended, Ending
from lockstep.model.waits import Firing
from lockstep.pipeline import ChildRunNews, ChildRuns
from lockstep.pipeline.child_runs import AT_ONCE, CANCELLED, RETRY_SECONDS
from lockstep_schemas.events import Actor
from lockstep_schemas.run_events import RunStatus
from unit.fakes import Away
from unit.moved import Background, moved, turns
from unit.pipeline.pipeline_fixture import Ways
from unit.values import NOW, automation, checkpoint, run_state, uid

PARENT = Parent(uid(9), "actions[0]", cancels=True)
HOP_LIMIT = 3


def wanted(name: str = "a", **fields: Any) -> ChildWanted:
    """A run that a step asks for."""
    given = {
        "automation": name, "payload": {}, "parent": PARENT, "context_key": None,
        "actor": Actor(), "hop": 1, "traceparent": None,
    }  # fmt: skip
    return ChildWanted(**{**given, **fields})


class Families:
    """The stored runs, by who has started whom."""

    def __init__(self) -> None:
        self.away, self.looks_away = Away(), Away()
        self.there: list[Child | None] = []  # what each look finds; after that nothing
        self.woken: list[list[UUID]] = []
        self.unread: set[UUID] = set()
        self.children: dict[UUID, list[UUID]] = {}
        self.missed: list[Firing] = []
        self.orphaned: list[UUID] = []

    async def child(self, run_id: UUID, path: str) -> Child | None:
        """See `ParentsAndChildren`."""
        assert (run_id, path) == (PARENT.run_id, PARENT.path)
        self.looks_away.check()
        return self.there.pop(0) if self.there else None

    async def wake_parents(self, run_ids: Sequence[UUID], now: datetime) -> Sequence[Firing]:
        """See `ParentsAndChildren`."""
        self.away.check()
        if self.unread & {*run_ids}:
            raise LookupError("a row that nobody can read")
        self.woken.append(sorted(run_ids))
        return [firing(one.int) for one in sorted(run_ids)]

    async def wake_missed(self, now: datetime) -> Sequence[Firing]:
        """See `ParentsAndChildren`."""
        return self.missed

    async def of_parents(self, run_ids: Sequence[UUID]) -> Sequence[UUID]:
        """See `ParentsAndChildren`."""
        return [child for one in sorted(run_ids) for child in self.children.get(one, [])]

    async def orphans(self) -> Sequence[UUID]:
        """See `ParentsAndChildren`."""
        return self.orphaned


@moved
async def test_a_start_in_doubt_is_asked_for_again_until_it_is_known() -> None:
    home = Home(automation())
    home.families.looks_away.times = 3
    asked = asyncio.create_task(home.children.start(wanted()))
    await asyncio.sleep(2.5 * RETRY_SECONDS)
    assert not asked.done()
    home.families.there = [Child(uid(3), "running")]  # an earlier try had gone through
    assert await asked == Child(uid(3), "running")
    assert home.ways.tx.new_runs == []


def firing(number: int) -> Firing:
    """The wait of a step for the n-th run, fired."""
    return Firing(uid(100 + number), PARENT.run_id, "child", True, None, None)


class Home:
    """Child runs between rows and those who hear of them."""

    def __init__(self, *automations: Automation) -> None:
        self.ways, self.families, self.news = Ways(*automations), Families(), ChildRunNews()
        catalog = build_catalog(open=True)
        self.children = ChildRuns(self.families, self.news, self.ways.parts, catalog, HOP_LIMIT)


def done(number: int, status: RunStatus, parent: UUID | None = PARENT.run_id) -> Checkpoint:
    """A checkpoint of the n-th run, which was started by another run."""
    one = checkpoint(number)
    one.run.parent_run_id, one.status = parent, status
    return one


def ended(number: int, parent: UUID | None = None) -> Ended:
    """The n-th run, ended from outside."""
    ending = Ending(status="cancelled", at=NOW)
    return Ended(run_state(number, parent_run_id=parent), None, [], [], ending)


@moved
async def test_a_step_starts_a_run_with_what_it_hands_on() -> None:
    home = Home(automation())
    asked = wanted(payload={"n": 1}, context_key="k", hop=2, traceparent="t")
    child = await home.children.start(asked)
    (new_run,) = home.ways.tx.new_runs
    assert child == Child(new_run.id, "running")
    event = new_run.match.event
    assert (event.payload, event.body, event.context_key) == ({"n": 1}, b'{"n":1}', "k")
    assert (event.hop, event.traceparent, event.parent) == (2, "t", PARENT)
    assert event.delivery == f"child:{PARENT.run_id}:{PARENT.path}"
    assert home.ways.told == ["offer", "launched"]


@moved
async def test_a_step_that_is_repeated_has_the_run_that_it_has_started() -> None:
    home = Home(automation())
    home.families.there = [Child(uid(5), "waiting")]
    assert await home.children.start(wanted()) == Child(uid(5), "waiting")
    assert home.ways.order == []


@moved
async def test_a_run_that_was_started_while_its_gate_was_waited_for_is_not_started_again() -> None:
    home = Home(automation())
    there = Child(uid(5), "running")
    home.ways.tx.children[PARENT.run_id, PARENT.path] = there
    home.families.there = [None, there]
    assert await home.children.start(wanted()) == there
    assert home.ways.statuses == []
    steps = [one for one in home.ways.order if one in {"lock_keys", "child"}]
    assert steps == ["lock_keys", "child"]  # behind the lock: nobody starts it in between


@moved
async def test_a_chain_of_automations_that_start_each_other_comes_to_an_end() -> None:
    home = Home(automation())
    await home.children.start(wanted(hop=HOP_LIMIT))
    with pytest.raises(ChildRefused, match=r"hop 4 is past the limit of 3"):
        await home.children.start(wanted(hop=HOP_LIMIT + 1))
    assert len(home.ways.statuses) == 1


@moved
async def test_an_automation_is_found_by_its_id_or_by_a_name_that_is_one_s_own() -> None:
    home = Home(automation("a"), automation("b"))
    await home.children.start(wanted("name of b"))
    assert [one.match.automation.id for one in home.ways.tx.new_runs] == ["b"]
    home.ways.save(msgspec.structs.replace(automation("c"), name="name of b"))
    with pytest.raises(ChildRefused, match="2 automations are named 'name of b': b, c; give"):
        await home.children.start(wanted("name of b"))
    with pytest.raises(ChildRefused, match="'nobody' is not known, or is disabled"):
        await home.children.start(wanted("nobody"))


@moved
async def test_an_automation_that_was_disabled_behind_its_gate_gives_no_run() -> None:
    home = Home(automation())
    home.ways.tx.enabled["a"] = False
    with pytest.raises(ChildRefused, match="'a' was disabled a moment ago"):
        await home.children.start(wanted())


@moved
async def test_a_parent_is_woken_when_a_run_that_it_has_started_ends_by_itself() -> None:
    home = Home()
    async with Background(home.children.run()):
        goes_on, of_nobody = done(2, "waiting"), done(3, "success", parent=None)
        home.news.checkpointed([done(1, "success"), goes_on, of_nobody, done(4, "failed")])
        await turns()
    assert home.families.woken == [[uid(1), uid(4)]]
    assert home.ways.heard.firings == [firing(1), firing(4)]
    assert home.ways.terminator.cancelled == []


@moved
async def test_what_a_run_has_started_ends_with_it_and_its_own_parent_is_woken() -> None:
    home = Home()
    home.families.children = {uid(1): [uid(5)], uid(2): [uid(6)]}
    async with Background(home.children.run()):
        home.news.ended([ended(1), ended(2, PARENT.run_id)])
        await turns()
        home.news.checkpointed([done(3, "success")])
        await turns()
    assert home.families.woken == [[uid(2)], [uid(3)]]
    assert home.ways.terminator.cancelled == [([uid(5), uid(6)], CANCELLED)]


@moved
async def test_very_many_are_not_ended_in_one_transaction() -> None:
    home = Home()
    home.families.orphaned = [uid(number) for number in range(AT_ONCE + 1)]
    await home.children.sweep()
    assert [len(ids) for ids, _ in home.ways.terminator.cancelled] == [AT_ONCE, 1]


@moved
async def test_news_that_the_store_could_not_take_are_left_to_the_sweep() -> None:
    home = Home()
    home.families.away.times = 1
    with capture_logs() as logs:
        async with Background(home.children.run()):
            home.news.checkpointed([done(1, "success")])
            await turns()
            home.news.checkpointed([done(2, "success")])
            await turns()
    assert home.families.woken == [[uid(2)]]
    assert [line["event"] for line in logs] == ["notice.lost"]
    home.families.missed = [firing(1)]
    await home.children.sweep()
    assert home.ways.heard.firings == [firing(2), firing(1)]


@moved
async def test_a_sweep_that_finds_nothing_tells_nobody() -> None:
    home = Home()
    await home.children.sweep()
    assert (home.ways.order, home.ways.terminator.cancelled) == ([], [])


@moved
async def test_a_sweep_while_the_store_is_away_says_so() -> None:
    home = Home()
    home.families.orphaned = [uid(1)]
    home.ways.terminator.away.times = 1
    with pytest.raises(Unavailable):
        await home.children.sweep()


@moved
async def test_a_child_that_cannot_be_ended_holds_up_no_other() -> None:
    home = Home()
    home.families.orphaned = [uid(number) for number in range(1, 6)]
    home.ways.terminator.stubborn = {uid(3)}
    with capture_logs() as logs:
        await home.children.sweep()
    ended = [one.int for ids, _ in home.ways.terminator.cancelled for one in ids]
    assert sorted(ended) == [1, 2, 4, 5]
    assert [(line["event"], line["run"]) for line in logs] == [("child.refused", str(uid(3)))]


@moved
async def test_a_parent_that_cannot_be_woken_holds_up_no_other() -> None:
    home = Home()
    home.families.unread = {uid(2)}
    with capture_logs() as logs:
        async with Background(home.children.run()):
            home.news.checkpointed([done(1, "success"), done(2, "success"), done(3, "success")])
            await turns()
    assert sorted(one.int for ids in home.families.woken for one in ids) == [1, 3]
    assert [line["event"] for line in logs] == ["child.refused"]
