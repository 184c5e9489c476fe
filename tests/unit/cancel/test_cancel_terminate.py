"""Terminate: runs that are ended from outside, in one transaction; then their owners are told."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import pytest

from lockstep.cancel import Terminator
from lockstep.model.admissions import REPLACED, Active
from lockstep.model.errors import Unavailable
from lockstep.model.outbox import EventRow
from lockstep.model.runs import Ended, Ending
from unit.fakes import Away, Heard, Rows
from unit.moved import Clock, moved
from unit.values import NOW, run_state, uid


class Runs:
    """The active runs, and which deadlines of them are over."""

    def __init__(self, *numbers: int) -> None:
        self.active = {uid(number) for number in numbers}
        self.away = Away()
        self.over: dict[UUID, tuple[UUID, str]] = {}  # by wait: run, and what to say
        self.endings: list[tuple[list[UUID], Ending]] = []
        self.stored: list[EventRow] = []

    async def end(
        self, run_ids: Sequence[UUID], ending: Ending, tell: Callable[[Ended], EventRow]
    ) -> Sequence[Ended]:
        """See `ActiveRuns`."""
        self.away.check()
        self.endings.append(([*run_ids], ending))
        found = [one for one in run_ids if one in self.active]
        self.active -= {*found}
        ended = [Ended(run_state(one.int, event_seq=7), None, [], [], ending) for one in found]
        self.stored += [tell(one) for one in ended]
        return ended

    async def exceeded(self, wait_ids: Sequence[UUID], now: datetime) -> dict[UUID, str]:
        """See `ActiveRuns`."""
        return dict(self.over[one] for one in wait_ids if one in self.over)


class Taken:
    """Publishes what others have left: notes of which topics."""

    def __init__(self, order: list[str]) -> None:
        self.order, self.away = order, Away()
        self.topics: list[str] = []

    def offer(self, rows: Sequence[EventRow]) -> None:
        """See `ports.report.Report`."""
        raise AssertionError("what was stored leaves in order with what the owner left")

    async def take_over(self, topics: Sequence[str]) -> None:
        """See `ports.report.Report`."""
        self.order.append("take_over")
        self.away.check()
        self.topics += topics


class Scene:
    """A terminator between rows, and those who hear of it."""

    def __init__(self, *numbers: int) -> None:
        self.order: list[str] = []
        self.runs, self.heard, self.report = Runs(*numbers), Heard(self.order), Taken(self.order)
        self.terminator = Terminator(self.runs, Clock(), "lockstep", self.report, self.heard)


@moved
async def test_cancelled_runs_stop_first_and_then_all_that_they_have_told_is_published() -> None:
    scene = Scene(1, 2)
    ended = await scene.terminator.cancel([uid(1), uid(2), uid(3)], "no more")
    assert [one.run.id for one in ended] == [uid(1), uid(2)]  # the third was over
    assert scene.heard.endings == ended
    assert scene.report.topics == [str(uid(1)), str(uid(2))]
    assert scene.order == ["ended", "take_over"]
    ((_, ending),) = scene.runs.endings
    assert ending == Ending(status="cancelled", reason="no more", at=NOW)


@moved
async def test_of_no_run_nobody_hears() -> None:
    scene = Scene()
    assert await scene.terminator.cancel([uid(1)], None) == []
    await scene.terminator.announce([])
    assert scene.order == []


@moved
async def test_the_last_event_of_a_run_follows_what_its_owner_has_told() -> None:
    scene = Scene(1)
    await scene.terminator.cancel([uid(1)], "no more")
    (row,) = scene.runs.stored
    data = msgspec.json.decode(row.body)["data"]
    assert (row.topic, row.seq, row.subject) == (str(uid(1)), 8, "lockstep.run.a.cancelled")
    assert (data["status"], data["reason"]) == ("cancelled", "no more")


@moved
async def test_runs_whose_deadline_is_over_fail_each_with_its_own_words() -> None:
    scene = Scene(1, 2, 3)
    scene.runs.over = {
        uid(11): (uid(1), "run exceeded 5 s"),
        uid(12): (uid(2), "run exceeded 9 s"),
        uid(13): (uid(3), "run exceeded 5 s"),
    }
    await scene.terminator.exceed([uid(11), uid(12), uid(13), uid(14)])
    assert [(ids, one.status, one.error) for ids, one in scene.runs.endings] == [
        ([uid(1), uid(3)], "failed", "run exceeded 5 s"),
        ([uid(2)], "failed", "run exceeded 9 s"),
    ]
    assert [one.run.id for one in scene.heard.endings] == [uid(1), uid(3), uid(2)]


@moved
async def test_where_no_deadline_is_over_nothing_is_ended() -> None:
    scene = Scene(1)
    await scene.terminator.exceed([uid(11)])
    assert (scene.runs.endings, scene.order) == ([], [])


@moved
async def test_what_a_newer_run_replaces_is_ended_in_its_transaction_and_told_after_it() -> None:
    scene, tx = Scene(), Rows()
    tx.active = {uid(1): Active(uid(1), "a", None, (NOW, 1))}
    (ended,) = await scene.terminator.replace([uid(1), uid(2)], tx.port)
    assert (ended.run.id, ended.ending.reason) == (uid(1), REPLACED)
    assert tx.calls == ["end_runs", "add_events"]
    assert [row.topic for row in tx.events] == [str(uid(1))]
    assert scene.order == []  # nothing is committed yet
    await scene.terminator.announce([ended])
    assert scene.order == ["ended", "take_over"]


@moved
async def test_while_the_store_is_away_nothing_ends_and_nobody_hears() -> None:
    scene = Scene(1)
    scene.runs.away.times = 1
    with pytest.raises(Unavailable):
        await scene.terminator.cancel([uid(1)], None)
    assert scene.order == []


@moved
async def test_runs_that_have_ended_stop_though_their_events_leave_later() -> None:
    scene = Scene(1)
    scene.report.away.times = 1
    with pytest.raises(Unavailable):
        await scene.terminator.cancel([uid(1)], None)
    assert [one.run.id for one in scene.heard.endings] == [uid(1)]
