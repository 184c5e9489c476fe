"""Housekeeping goes on as long as there is something, and takes nothing that a backlog needs."""

from datetime import datetime, timedelta
from typing import cast

import pytest
from structlog.testing import capture_logs

from lockstep import store
from lockstep.engine.housekeeping import AT_ONCE, Housekeeping
from lockstep.model.errors import BusUnavailable, StoreTooSlow
from lockstep.model.messages import StreamBegin
from lockstep.settings.structs import EngineSettings
from unit.moved import Clock, StreamClock, moved
from unit.values import NOW


class Tables:
    """All that is cleaned, with so many rows in each."""

    def __init__(self, rows: int) -> None:
        self.left = dict.fromkeys(("decisions", "receipts", "occurrences"), rows)
        self.calls: list[str] = []
        self.before: datetime | None = None
        self.failing: dict[str, Exception] = {}

    def _check(self, task: str) -> None:
        if task in self.failing:
            raise self.failing[task]

    def _page(self, table: str, limit: int) -> bool:
        self.calls.append(table)
        gone = min(limit, self.left[table])
        self.left[table] -= gone
        return gone == limit

    async def forget_suspects(self, limit: int) -> None:
        self._check("suspects")
        self.calls.append("suspects")


class Decisions(Tables):
    """The decisions and the counters of windows."""

    async def forget(self, kept: int, rows: int) -> bool:
        return self._page("decisions", rows)

    async def forget_occurrences(self, before: datetime, rows: int) -> bool:
        self.before = before
        return self._page("occurrences", rows)


class Receipts(Tables):
    """The receipts."""

    begin: StreamBegin | None = None

    async def forget(self, hours: float, begin: StreamBegin, limit: int) -> bool:
        self.begin = begin
        return self._page("receipts", limit)


class Recent(Tables):
    """The events that waits look back on."""

    async def forget(self, now: datetime, limit: int) -> bool:
        self._check("forget")
        return self._page("decisions", limit)

    async def drop(self, limit: int) -> bool:
        self._check("drop")
        return self._page("receipts", limit)


class Workers:
    """The rows of workers."""

    async def forget(self, stale: object) -> None:
        assert stale == []


class Bodies:
    """The bodies of events that no run needs."""

    async def forget_bodies(self, limit: int) -> None:
        assert limit == AT_ONCE


class Events:
    """A stream of events, or none."""

    def __init__(self, oldest_at: datetime | None = None, *, is_away: bool = False) -> None:
        self.oldest_at, self.is_away = oldest_at, is_away

    async def begin(self) -> StreamBegin:
        if self.is_away:
            raise BusUnavailable("away")
        return StreamBegin("S", 1, NOW, self.oldest_at)


def house(
    rows: int, events: Events, ahead: timedelta = timedelta()
) -> tuple[Housekeeping, Decisions, Receipts]:
    return whole_house(rows, events, ahead)[:3]


def whole_house(
    rows: int, events: Events, ahead: timedelta = timedelta()
) -> tuple[Housekeeping, Decisions, Receipts, Recent]:
    decisions, receipts, recent = Decisions(rows), Receipts(rows), Recent(rows)
    made = Housekeeping(
        EngineSettings(),
        cast("store.Store", None),
        cast("store.WorkerStore", Workers()),
        list,
        cast("store.DecisionStore", decisions),
        cast("store.Retention", Bodies()),
        cast("store.Receipts", receipts),
        cast("store.RecentEvents", recent),
        events,
        Clock(),
        StreamClock(ahead),
    )
    return made, decisions, receipts, recent


@moved
async def test_it_goes_on_as_long_as_there_is_something() -> None:
    made, decisions, receipts = house(10 * AT_ONCE + 1, Events())
    await made.clean()
    assert decisions.left["decisions"] == decisions.left["occurrences"] == 0
    assert receipts.left["receipts"] == 0


@moved
async def test_where_there_is_little_each_is_asked_once() -> None:
    made, decisions, receipts = house(3, Events())
    await made.clean()
    assert (decisions.calls, receipts.calls) == (
        ["decisions", "occurrences"], ["suspects", "receipts"],
    )  # fmt: skip


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(hours=30)])
@moved
async def test_the_counters_of_windows_stay_that_a_backlog_still_asks_for(
    behind: timedelta,
) -> None:
    made, decisions, _ = house(1, Events(NOW - behind))
    await made.clean()
    assert decisions.before == NOW - behind - timedelta(hours=1)


@moved
async def test_the_begin_of_the_stream_is_told_by_the_one_clock() -> None:
    ahead = timedelta(minutes=7)
    made, decisions, receipts = house(1, Events(NOW - timedelta(hours=1) + ahead), ahead)
    await made.clean()
    assert decisions.before == NOW - timedelta(hours=2)
    assert receipts.begin is not None
    assert receipts.begin.created_at == NOW - ahead


@moved
async def test_where_nats_is_away_receipts_and_counters_stay() -> None:
    made, decisions, receipts = house(1, Events(is_away=True))
    with pytest.raises(BusUnavailable):
        await made.clean()
    assert (decisions.left["decisions"], decisions.left["occurrences"]) == (0, 1)
    assert receipts.left["receipts"] == 1


@pytest.mark.parametrize("error", [StoreTooSlow("drop"), KeyError("drop")], ids=["slow", "fault"])
@pytest.mark.parametrize("task", ["forget", "drop"])
@moved
async def test_what_fails_keeps_nothing_else_from_being_done(task: str, error: Exception) -> None:
    made, decisions, receipts, recent = whole_house(1, Events())
    recent.failing[task] = error
    with pytest.raises(type(error)), capture_logs() as logs:
        await made.clean()
    assert decisions.left["decisions"] == decisions.left["occurrences"] == 0
    assert receipts.left["receipts"] == 0
    assert [line["event"] for line in logs] == ["housekeeping.failed"]


@moved
async def test_a_fault_is_told_before_a_server_that_is_away() -> None:
    made, _, receipts, recent = whole_house(1, Events(is_away=True))
    recent.failing["drop"] = StoreTooSlow("drop")
    receipts.failing["suspects"] = KeyError("what")
    with pytest.raises(KeyError):
        await made.clean()
